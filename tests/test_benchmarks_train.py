"""benchmarks/train_speed.py: it runs where only PyTorch, transformers and peft are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("peft", reason="needs skythought[train]")

ROOT = Path(__file__).parents[1]


def test_a_tiny_model_is_measured() -> None:
    words = [
        "--random",
        "tiny",
        "--bare",
        "--arms",
        "ours",
        "--samples",
        "3",
        "--steps",
        "2",
        "--max-length",
        "300",
    ]
    command = [sys.executable, "benchmarks/train_speed.py", *words, "--dtype", "float32"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [(arm, found)] = json.loads(done.stdout.splitlines()[-1])
    assert arm == "ours"
    assert found["tokens_per_s"] > 0
    assert 0 < found["utilisation"] == found["recomputed"]
    assert found["tokens"] > 600
    assert found["losses"] == pytest.approx([6.2, 6.2], abs=0.3)  # ln 512: made-up text
