"""What the backends vllm and ray cost, beside what they stand on.

    python benchmarks/engines.py vllm --model mini --requests 256
    python benchmarks/engines.py ray --requests 20000 --replicas 2

`vllm`: tokens per second of the backend, as a share of `LLM.generate` with the same engine and
requests, in turns; `generate` gives nothing before all is finished. `ray`: requests per second
through a local cluster whose replicas answer at once, so this is the cost of the way there and
back. Needs `make engines`; results stand in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from skythought import backends, tasks
from skythought.backends import chat
from skythought.core import formats
from skythought.core.records import Message, Request, Sampling

ROUNDS = 3


def requests(n: int) -> list[Request]:
    """Make requests out of toll road problems."""
    problems = tasks.draw("toll_roads", "test", 0, 0, n)
    return [Request(id=p.id, messages=(Message("user", p.question),)) for p in problems]


def vllm(model: str, n: int, sampling: Sampling) -> str:
    """Compare the backend with `LLM.generate`; gives a row of the table."""
    from vllm import SamplingParams
    from vllm.inputs import TokensPrompt

    backend: Any = backends.make("vllm", model, {"enforce_eager": "true", "max_num_seqs": 64})
    backend.start()
    asked = requests(n)
    prompts = [
        TokensPrompt(prompt_token_ids=formats.prompt_ids(backend.tokenizer, r.messages))
        for r in asked
    ]
    plain = [
        SamplingParams(
            temperature=sampling.temperature,
            max_tokens=sampling.max_tokens,
            seed=chat.seed_of(request),
            stop_token_ids=backend.stops,
        )
        for request in asked
    ]
    took, made = {"generate": 0.0, "backend": 0.0}, {"generate": 0, "backend": 0}
    for number in range(ROUNDS + 1):
        began = time.perf_counter()
        outputs = backend.llm.generate(prompts, plain, use_tqdm=False)
        middle = time.perf_counter()
        answers = list(backend.complete(asked, sampling))
        end = time.perf_counter()
        if number:  # the first round warms up
            took["generate"] += middle - began
            took["backend"] += end - middle
            made["generate"] += sum(len(o.outputs[0].token_ids) for o in outputs)
            made["backend"] += sum(a.completion_tokens for a in answers)
    speed = {name: made[name] / took[name] for name in took}
    return (
        f"| {datetime.now(UTC):%Y-%m-%d} | vllm | {n:,} | {made['backend'] // ROUNDS:,} | "
        f"{speed['backend']:,.0f} tok/s | {speed['generate']:,.0f} tok/s | "
        f"{speed['backend'] / speed['generate']:.2f} |"
    )


def ray(n: int, replicas: int) -> str:
    """Measure the way to replicas and back; gives a row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.jsonl"
        script.write_text(json.dumps({"question": "1 plus 1?", "response": "2"}) + "\n")
        asked = [
            Request(id=f"{i:016x}", messages=(Message("user", "1 plus 1?"),)) for i in range(n)
        ]
        rates = {}
        for name, options in (
            ("scripted", {}),
            ("ray", {"address": "local", "inner": "scripted", "replicas": replicas, "cpus": 0.5}),
        ):
            backend = backends.make(name, str(script), options)
            list(backend.complete(asked[:100], Sampling()))
            began = time.perf_counter()
            answers = {answer.id for answer in backend.complete(asked, Sampling())}
            rates[name] = n / (time.perf_counter() - began)
            assert len(answers) == n
    return (
        f"| {datetime.now(UTC):%Y-%m-%d} | ray, {replicas} replicas | {n:,} | "
        f"{rates['ray']:,.0f}/s | {1000 / rates['ray'] - 1000 / rates['scripted']:.2f} ms |"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("vllm", "ray"))
    parser.add_argument("--model", default="mini")
    parser.add_argument("--requests", type=int, default=256)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--replicas", type=int, default=2)
    args = parser.parse_args()
    load = os.getloadavg()[0]
    if args.what == "vllm":
        wanted = Sampling(temperature=args.temperature, max_tokens=args.max_tokens)
        print(vllm(args.model, args.requests, wanted))
    else:
        print(ray(args.requests, args.replicas))
    print(f"{os.cpu_count()} cores, load {load:.1f} before the run", file=sys.stderr)
