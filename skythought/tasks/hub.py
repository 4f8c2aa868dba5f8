"""Benchmarks and prompt sources of the Hugging Face hub (one of GitHub), one row of a table each.

    tasks.get("livecodebench").load("release_v5")    from the hub
    tasks.get("gsm8k").load("test", path="copy.jsonl")    a local copy in its place

A dataset is pinned to a commit. Its rows are turned into ours by a function, where their fields
have other names; a local copy may have the fields of the hub or ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from skythought.core import progress
from skythought.core.errors import UserError, first_line, require, unknown
from skythought.core.records import Problem
from skythought.tasks import (
    CHOICE_VERIFIER,
    FILE_VERIFIER,
    INSTRUCTION_VERIFIER,
    PROGRAM_VERIFIER,
    Task,
    reshaping,
)
from skythought.tasks.benchmarks import IDS, PROMPTS, SYSTEM_PROMPT, Row, load_file, problem

Reshape = Callable[[Row], Row | None]
ENDINGS = {".jsonl": "json", ".json": "json", ".parquet": "parquet", ".arrow": "arrow"}


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Where the rows of a task are."""

    source: str  # owner/name
    revision: str  # commit
    splits: Mapping[str, str | Sequence[str]]  # ours -> its split, or the names of files
    config: str | None = None
    size: Mapping[str, int] | None = None  # problems of a split, to know a changed dataset by
    reshape: Reshape | None = None
    files: str = "hf://datasets/{source}@{revision}/{name}"  # where those of `splits` are


def load(
    split: str, seed: int = 0, *, task: str, dataset: Dataset, path: Path | str | None = None
) -> Iterator[Problem]:
    """Yield the problems of a dataset on the hub, or of a local copy where `path` is given.

    Raises:
        UserError: unknown split, `datasets` is missing, the hub cannot be reached, or as
            `load_file`.
    """
    if path is not None:
        return load_file(split, seed, path=path, task=task, reshape=dataset.reshape)
    if split not in dataset.splits:
        raise unknown(f"split of {task}", split, dataset.splits)
    return _problems(_rows(split, task, dataset), task, split, dataset)


def _rows(split: str, task: str, dataset: Dataset) -> Iterable[Mapping[str, Any]]:
    datasets = require("datasets", "train")
    where = dataset.splits[split]
    source, revision = dataset.source, dataset.revision
    rows: Iterable[Mapping[str, Any]]
    try:
        if isinstance(where, str):
            rows = datasets.load_dataset(source, dataset.config, split=where, revision=revision)
        else:
            place = dataset.files
            files = [place.format(source=source, revision=revision, name=n) for n in where]
            builder = ENDINGS[Path(where[0]).suffix]
            rows = datasets.load_dataset(builder, data_files=files, split="train")
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise UserError(
            f"task {task!r}: cannot load {source} from the hub ({first_line(error)}); "
            "give a local copy: --data copy.jsonl, or the file in place of the name"
        ) from error
    return rows


def _problems(
    rows: Iterable[Mapping[str, Any]], task: str, split: str, dataset: Dataset
) -> Iterator[Problem]:
    """Make problems of rows; those without an id are numbered, their order being fixed."""
    count = left_out = 0
    why = ""
    for number, row in enumerate(rows):
        try:
            shaped = dataset.reshape({**row}) if dataset.reshape else {**row}
            if shaped is None:
                continue
            key = {} if any(k in shaped for k in IDS) else {"id": f"{task}-{split}-{number}"}
            found = problem({**shaped, **key}, task)
        except ValueError as error:  # a row without usable tests, or with an empty box
            left_out, why = left_out + 1, why or f"row {number}: {error}"
            continue
        count += 1
        yield found
    if left_out:
        progress.say(f"{task}: {left_out:,} rows of {dataset.source} are left out; {why}")
        count += left_out
    expected = (dataset.size or {}).get(split, count)
    if count != expected:
        progress.say(
            f"warning: {task} has {count:,} problems in {split}, expected {expected:,}: "
            f"{dataset.source} has changed"
        )


RELEASES = {f"release_v{n}": size for n, size in enumerate((400, 511, 612, 713, 880, 1055), 1)}
LIVE = ("test.jsonl", *(f"test{n}.jsonl" for n in range(2, 7)))


def _task(
    name: str, licence: str, dataset: Dataset, *, verifier: str = FILE_VERIFIER, chance: float = 0.0
) -> Task:
    return Task(
        name=name,
        source=dataset.source,
        revision=dataset.revision,
        licence=licence,
        verifier=verifier,
        chance=chance,
        system_prompt=PROMPTS.get(verifier, SYSTEM_PROMPT),
        load=partial(load, task=name, dataset=dataset),
    )


GSM8K = _task(
    "gsm8k",
    "MIT",
    Dataset(
        source="openai/gsm8k",
        revision="740312add88f781978c0658806c59bc2815b9866",
        config="main",
        splits={"train": "train", "test": "test"},
        size={"train": 7473, "test": 1319},
    ),
)
MATH500 = _task(
    "math500",
    "MIT",
    Dataset(
        source="HuggingFaceH4/MATH-500",
        revision="6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be",
        splits={"test": "test"},
        size={"test": 500},
    ),
)
AIME24 = _task(
    "aime24",
    "problem texts by the MAA",
    Dataset(
        source="HuggingFaceH4/aime_2024",
        revision="2fe88a2f1091d5048c0f36abc874fb997b3dd99a",
        splits={"test": "train"},  # the dataset calls its only split train
        size={"test": 30},
    ),
)
AIME25 = _task(
    "aime25",
    "problem texts by the MAA",
    Dataset(
        source="math-ai/aime25",
        revision="563bb8404243c5f09de6ec262f2db674fe5bce9b",
        splits={"test": "test"},
        size={"test": 30},
    ),
)
AMC23 = _task(
    "amc23",
    "problem texts by the MAA",
    Dataset(
        source="math-ai/amc23",
        revision="80815d37005feb82cd7f8fbc6901d5d3eff43057",
        splits={"test": "test"},
        size={"test": 40},
    ),
)
OLYMPIADBENCH = _task(
    "olympiadbench",  # text only, English, mathematics, open-ended
    "Apache-2.0",
    Dataset(
        source="Hothan/OlympiadBench",
        revision="91184b52131e7fc9455fef848035173aea8cc01a",
        config="OE_TO_maths_en_COMP",
        splits={"test": "train"},
        size={"test": 674},
        reshape=reshaping.olympiadbench,
    ),
)
MINERVA = _task(
    "minerva_math",
    "texts of MIT OpenCourseWare, CC BY-NC-SA",
    Dataset(
        # No commit of the hub's copies is known to us.
        files="https://raw.githubusercontent.com/{source}/{revision}/{name}",
        source="LWL-cpu/Question-Free-Fine-Tuning",
        revision="c8cb2671317ff8d82b511736d6edba9aa5710a39",
        splits={"test": ["eval/data/minerva/test.jsonl"]},
        size={"test": 272},
    ),
)
NUMINA = _task(
    "numina",  # --where source=amc_aime, =math or =olympiads, as Sky-T1 chose
    "Apache-2.0; problem texts by their authors",
    Dataset(
        source="AI-MO/NuminaMath-CoT",
        revision="9d8d210c9f6a36c8f3cd84045668c9b7800ef517",
        splits={"train": "train", "test": "test"},
        reshape=reshaping.numina,
    ),
)
LIVECODEBENCH = _task(
    "livecodebench",  # --where contest_date=2024-08-01..2025-01-31, --where difficulty=hard
    "problem texts by LeetCode, AtCoder and Codeforces",
    Dataset(
        source="livecodebench/code_generation_lite",
        revision="0fe84c3912ea0c4d4a78037083943e8f0c4dd505",
        splits={"test": LIVE, **{name: LIVE[: n + 1] for n, name in enumerate(RELEASES)}},
        size=RELEASES | {"test": 1055},
        reshape=reshaping.livecodebench,
    ),
    verifier=PROGRAM_VERIFIER,
)
HUMANEVAL = _task(
    "humaneval",
    "MIT",
    Dataset(
        source="openai/openai_humaneval",
        revision="7dce6050a7d6d172f3cc5c32aa97f52fa1a2e544",
        splits={"test": "test"},
        size={"test": 164},
        reshape=reshaping.humaneval,
    ),
    verifier=PROGRAM_VERIFIER,
)
MBPP = _task(
    "mbpp",
    "CC BY 4.0",
    Dataset(
        source="google-research-datasets/mbpp",
        revision="4bb6404fdc6cacfda99d4ac4205087b89d32030c",
        config="full",
        splits={name: name for name in ("test", "train", "validation")},
        size={"test": 500},
        reshape=reshaping.mbpp,
    ),
    verifier=PROGRAM_VERIFIER,
)
APPS = _task(
    "apps",  # --where difficulty=introductory
    "MIT; problem texts by their sites",
    Dataset(
        source="codeparrot/apps",
        revision="21e74ddf8de1a21436da12e3e653065c5213e9d1",
        splits={"train": ["train.jsonl"], "test": ["test.jsonl"]},
        size={"train": 5000, "test": 5000},
        reshape=reshaping.contest,
    ),
    verifier=PROGRAM_VERIFIER,
)
TACO = _task(
    "taco",  # --where difficulty=EASY
    "Apache-2.0; problem texts by their sites",
    Dataset(
        source="BAAI/TACO",
        revision="d593ed0a2becbbc952230bb89be09189bf1056dc",
        splits={
            "train": [f"ALL/train-{n:05}-of-00009.parquet" for n in range(9)],
            "test": ["ALL/test-00000-of-00001.parquet"],
        },
        size={"train": 25443, "test": 1000},
        reshape=reshaping.contest,
    ),
    verifier=PROGRAM_VERIFIER,
)
MMLU = _task(
    "mmlu",  # --where subject=abstract_algebra
    "MIT",
    Dataset(
        source="cais/mmlu",
        revision="c30699e8356da336a370243923dbaf21066bb9fe",
        config="all",
        splits={name: name for name in ("test", "validation", "dev")},
        size={"test": 14042},
    ),
    verifier=CHOICE_VERIFIER,
    chance=0.26,
)
MMLU_PRO = _task(
    "mmlu_pro",  # --where subject=math
    "MIT",
    Dataset(
        source="TIGER-Lab/MMLU-Pro",
        revision="b189ec765aa7ed75c8acfea42df31fdae71f97be",
        splits={"test": "test", "validation": "validation"},
        size={"test": 12032},
        reshape=reshaping.mmlu_pro,
    ),
    verifier=CHOICE_VERIFIER,
    chance=0.12,
)
GPQA_DIAMOND = _task(
    "gpqa_diamond",  # gated: accept its conditions on the hub and log in
    "CC BY 4.0; its authors ask not to publish it in plain text",
    Dataset(
        source="Idavidrein/gpqa",
        revision="633f5ee89ab8ad4522a9f850766b73f62147ffdd",
        config="gpqa_diamond",
        splits={"test": "train"},
        size={"test": 198},
        reshape=reshaping.gpqa,
    ),
    verifier=CHOICE_VERIFIER,
    chance=0.25,
)
ARC_C = _task(
    "arc_c",
    "CC BY-SA 4.0",
    Dataset(
        source="allenai/ai2_arc",
        revision="210d026faf9955653af8916fad021475a3f00453",
        config="ARC-Challenge",
        splits={name: name for name in ("test", "train", "validation")},
        size={"test": 1172},
    ),
    verifier=CHOICE_VERIFIER,
    chance=0.25,
)
IFEVAL = _task(
    "ifeval",
    "Apache-2.0",
    Dataset(
        source="google/IFEval",
        revision="966cd89545d6b6acfd7638bc708b98261ca58e84",
        splits={"test": "train"},
        size={"test": 541},
        reshape=reshaping.ifeval,
    ),
    verifier=INSTRUCTION_VERIFIER,
)
