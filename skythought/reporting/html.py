"""A study and its results in, report.html out: one file, no network, no scripts.

Whatever comes from a trace, a title or a manifest goes through `wording.safe`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from skythought.reporting import findings, losses, pages, paper, plots, samples
from skythought.reporting.markdown import TESTS, lead, learned
from skythought.reporting.runs import Study
from skythought.reporting.wording import (
    NONE,
    between,
    count,
    each_seed,
    inspected,
    p_value,
    percent,
    points,
    safe,
    seconds,
    share_between,
    signed,
    verdict,
)

Row = dict[str, Any]

NAV = {
    "findings": "Findings",
    "results": "Results",
    "tests": "Tests",
    "behind": "Behind the numbers",
    "training": "Training",
    "data": "Data",
    "samples": "Samples",
    "settings": "Settings",
}


def page(study: Study, results: dict[str, Any]) -> str:
    """Write the page."""
    rows = results["arms"]
    parts = {
        "findings": _findings(results),
        "results": _results(rows),
        "tests": _tests(results["tests"]),
        "behind": _behind(rows),
        "training": _training(study, rows),
        "data": _data(study),
        "samples": _samples(study),
        "settings": _settings(study, results),
    }
    return pages.frame(
        f"Study {results['study']}",
        kicker=f"skythought study: {results['study']}",
        question="What in a demonstration teaches a student to reason?",
        lead=lead(results),
        sections={key: (NAV[key], html) for key, html in parts.items()},
        foot_html=(
            "Published values: Li et al., <cite>LLMs Can Easily Learn to Reason from "
            "Demonstrations: Structure, not content, is what matters!</cite> "
            f'<a href="{paper.URL}" rel="noreferrer">arXiv 2502.07374</a> ({paper.LABEL}). '
        ),
    )


def _findings(results: dict[str, Any]) -> str:
    unlike = findings.by_row(row for row in results["arms"] if row["agreement"] != "reproduced")
    texts = [*findings.general(results), *unlike, *findings.limits(results)]
    return _list(texts, "findings")


def _results(rows: list[Row]) -> str:
    luck = "some of" if any(len(row["paired_seeds"]) > 1 for row in rows) else "nothing of"
    caption = (
        "Greedy answers. Changes are against correct traces (LoRA), in points, paired over "
        "problems and seeds. p asks whether these trained models differ on these problems; the "
        f"interval holds {luck} the luck of training. p is not corrected for the number of rows."
    )
    sides = "".join(
        f'<figure><div class="wide">{plots_wide}</div><div class="narrow">{plots_narrow}</div>'
        f"<figcaption>Measured changes beside the published ones ({paper.SOURCE}: a model of 32 "
        "billion parameters, averages over four benchmarks).</figcaption></figure>"
        for plots_wide, plots_narrow in [(plots.effects(rows, 990), plots.effects(rows, 350))]
        if plots_wide
    )
    by_row = list(findings.by_row(rows))
    told = _list(by_row, "findings rows")
    told = f"<details><summary>Every row in words</summary>{told}</details>" if by_row else ""
    return (
        f"{sides}{_main_table(rows, caption)}{told}"
        f'<p class="note"><strong>Rule of agreement.</strong> {safe(paper.RULE)}</p>'
        f'<p class="note"><strong>How to compare.</strong> {safe(paper.CAVEAT)}</p>'
    )


def _main_table(rows: list[Row], caption: str) -> str:
    head = (
        '<tr><td></td><th class="span" colspan="5" scope="colgroup">measured here</th>'
        '<th class="span published" colspan="3" scope="colgroup">published, not measured here</th>'
        "<td></td></tr>" + pages.head("training data", "accuracy, %", "95 % interval", "change")
    ).removesuffix("</tr>")
    head += "".join(
        f'<th scope="col">{name}</th>'
        for name in ("95 % interval", "p", "change", "MATH‑500", "AIME24")
    )
    head += '<th scope="col" class="text">agreement</th></tr>'
    bodies = []
    for group, members in _grouped(rows):
        title = plots.HEADS.get(group, group)
        lines = [f'<tr><th class="group" scope="rowgroup" colspan="10">{safe(title)}</th></tr>']
        if len(members) == 1:  # its own title says it
            lines = []
        for row in members:
            known = paper.ROWS.get(row["name"])
            reference = row["name"] == "correct"
            kind = "text disagree" if row["agreement"] == "not reproduced" else "text"
            lines.append(
                f"<tr>{_name(row)}"
                + pages.cells(
                    percent(row["accuracy"], ""),
                    share_between(row["low"], row["high"]),
                    "reference" if reference else points(row["delta"]),
                    between(row["delta_low"], row["delta_high"]),
                    p_value(row["p"]),
                )
                + pages.cells(
                    signed(row["paper_change"]),
                    f"{known.math500:.1f}" if known else NONE,
                    f"{known.aime24:.1f}" if known else NONE,
                    kind="published",
                )
                + f'<td class="{kind}">{verdict(row)}</td></tr>'
            )
        bodies.append(f"<tbody>{''.join(lines)}</tbody>")
    return pages.table(head, "".join(bodies), caption, "Results of every arm")


def _tests(tests: dict[str, Any]) -> str:
    if not tests:
        return "<p>No test could be made yet: the arms it needs are not finished.</p>"
    lines = "".join(
        f'<tr><th scope="row">{safe(TESTS[key])}</th>'
        + pages.cells(
            points(d["value"]),
            between(d["low"], d["high"]),
            p_value(d["p"]),
            f"{100 * d['detectable']:.1f}",
            f"{len(d['seeds'])} × {count(d['n_problems'])}",
        )
        + "</tr>"
        for key, d in tests.items()
    )
    head = pages.head("question", "points", "95 % interval", "p", "detectable", "seeds × problems")
    caption = (
        "Intervals: bootstrap over seeds and problems. p: sign flips over problems, two-sided. "
        "Detectable: the smallest difference that 80 % of such studies would find at p < 0.05."
    )
    return pages.table(head, f"<tbody>{lines}</tbody>", caption, "Tests")


def _behind(rows: list[Row]) -> str:
    seen = inspected(rows)
    head = pages.head(
        *("training data", "seeds", "n", "each seed, %", "detectable", "no answer", "cut off"),
        *("errors", "mean tokens", "sampled, %", "sampled change"),
        *(f"{name}, %" for name in seen.values()),
        "time",
    )
    lines = "".join(
        f"<tr>{_name(row)}"
        + pages.cells(
            ", ".join(map(str, row["seeds"])),
            count(row["n"]),
            each_seed(row),
            NONE if row["detectable"] is None else f"{100 * row['detectable']:.1f}",
            count(row["no_answer"]),
            count(row["truncated"]),
            count(row["errors"]),
            count(row["mean_tokens"]),
            percent(row["sampled"]["accuracy"], ""),
            points(row["sampled"]["delta"]),
            *(percent(row["inspected"].get(name), "") for name in seen),
            seconds(row["seconds"]),
        )
        + "</tr>"
        for row in rows
    )
    caption = (
        "n counts graded answers. An answer without a result, or cut off at the token limit, "
        "counts as wrong; an error counts as neither right nor wrong, and its problem is left out. "
        "Time is training and evaluation of all seeds together."
    )
    return pages.table(head, f"<tbody>{lines}</tbody>", caption, "What stands behind each score")


def _training(study: Study, rows: list[Row]) -> str:
    drawn = "".join(
        f'<div class="{safe(arm.card.group)}"><h3>{safe(arm.card.title)}</h3>{svg}</div>'
        for arm, svg in plots.curves(study.arms)
    )
    text = "<p>No arm has a training log.</p>"
    if drawn:
        text = (
            f'<figure><div class="multiples">{drawn}</div><figcaption>Training loss by step: the '
            "mean over seeds, each seed thin, and in grey the loss on correct traces. The number "
            "is the last loss. Each arm is trained on other text, so a lower loss is not a better "
            "student.</figcaption></figure>"
        )
    clean = [seed.log for arm in study.arms if arm.name == "correct" for seed in arm.seeds]
    wide, narrow = losses.plot(clean, 990), losses.plot(clean, 350)
    if wide:
        text += (
            f'<h3>What is learned first</h3><figure><div class="wide">{wide}</div>'
            f'<div class="narrow">{narrow}</div><figcaption>Correct traces, LoRA. '
            f"{safe(losses.CAPTION)}</figcaption></figure>{_learned(rows)}"
        )
    wide, narrow = plots.lengths(rows, 990), plots.lengths(rows, 350)
    if wide:
        text += (
            f'<h3>Accuracy and length</h3><figure><div class="wide">{wide}</div>'
            f'<div class="narrow">{narrow}</div><figcaption>Accuracy against the mean number of '
            "tokens of an answer. Squares: content broken; triangles: structure broken; circles: "
            "the others.</figcaption></figure>"
        )
    return text


def _learned(rows: list[Row]) -> str:
    head = pages.head("training data", *(f"90 % of {part}, step" for part in losses.PARTS.values()))
    lines = "".join(
        f"<tr>{_name(row)}{pages.cells(*learned(row))}</tr>" for row in rows if "learned" in row
    )
    return pages.table(head, f"<tbody>{lines}</tbody>", losses.RULE, "What is learned first")


def _data(study: Study) -> str:
    path = study.folder / "data" / "card.md"
    if not path.is_file():
        return "<p>The study holds no dataset card (data/card.md).</p>"
    text, pairs, others = path.read_text(encoding="utf-8", errors="replace"), [], []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 2 and cells[0].strip("-"):
            pairs.append((cells[0], cells[1]))
        elif line.strip() and not line.startswith(("|", "# ")):
            others.append(line.strip())
    prose = "".join(f"<p>{safe(line)}</p>" for line in others)
    return (
        "<p>The demonstrations of the clean arms; those of the other arms are made from the same "
        f'traces. All training sets: <a href="data/">data/</a>.</p>{pages.facts(pairs)}{prose}'
    )


def _samples(study: Study) -> str:
    found = "".join(samples.section(study.folder, arm) for arm in study.arms)
    return (
        f"<p>{samples.SAMPLES} answers of each arm, the same problems for all, drawn at random "
        f"with a fixed seed and not picked. Long texts are cut, visibly.</p>{found}"
    )


def _settings(study: Study, results: dict[str, Any]) -> str:
    models = [
        (f"{arm.card.title}, seed {seed.number}", seed.answers["greedy"].model)
        for arm in study.arms
        for seed in arm.seeds
        if "greedy" in seed.answers
    ]
    versions = {**results["versions"], "code revision": study.revision or "unknown"}
    return (
        f"{pages.facts(results['settings'].items())}<h3>Versions</h3>{pages.facts(versions.items())}"
        f"<details><summary>Models, with a hash of their weights</summary>{pages.facts(models)}"
        "</details>"
    )


def _grouped(rows: list[Row]) -> list[tuple[str, list[Row]]]:
    groups = list(dict.fromkeys(row["group"] for row in rows))
    return [(group, [row for row in rows if row["group"] == group]) for group in groups]


def _name(row: Row) -> str:
    place = f"arms/{quote(row['name'])}/"
    return f'<th scope="row"><a href="{safe(place)}">{safe(row["title"])}</a></th>'


def _list(texts: Sequence[str], kind: str) -> str:
    return f'<ul class="{kind}">{"".join(f"<li>{safe(text)}</li>" for text in texts)}</ul>'
