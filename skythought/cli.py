"""The command line: a verb and its flags in, the verb's `run(Config)` called.

    skythought train --base_model Qwen/Qwen2.5-32B-Instruct --dataset r1-17k.jsonl

Only the verb asked for is imported, so `skythought --help` answers at once. Flags are the fields of
the verb's `Config`. Exit codes: 0 done, 1 what was to be checked does not hold or samples of
generate failed (a verb's `exit_code` says so of what its `run` gives), 2 a mistake of the user (one
line says which), 3 the `--budget` of generate is spent, 130 stopped with Ctrl-C, 143 by SIGTERM; a
traceback is a mistake of ours.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import inspect
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from skythought import __version__
from skythought.core import mistakes
from skythought.core.errors import UserError, plain, unknown

# verb -> (module with Config and run, one line of help), in pipeline order
VERBS = {
    "check": ("skythought.check", "grade a task's own answers, to see what can be verified"),
    "generate": ("skythought.generate", "ask a model every problem of a task, keep every answer"),
    "score": ("skythought.score", "grade the answers of a run folder"),
    "curate": ("skythought.curate", "choose training examples from graded answers"),
    "perturb": ("skythought.perturb", "change digits, words or steps of demonstrations"),
    "analyze": ("skythought.analyze", "measure the structure of traces: steps, roles, loops"),
    "plan": ("skythought.plan", "predict memory, time and cost of training; needs no weights"),
    "train": ("skythought.train", "fine-tune a model on demonstrations, LoRA or full"),
    "merge": ("skythought.merge", "merge a LoRA checkpoint into its base: a model for any engine"),
    "evaluate": ("skythought.evaluate", "score a model on a task, with an interval"),
    "compare": ("skythought.compare", "compare two runs problem by problem, with a paired test"),
    "view": ("skythought.view", "read traces in a browser: list, filters, search, steps"),
    "report": ("skythought.report", "turn the folders of a study into tables and a page"),
    "reproduce": ("skythought.reproduce", "run a whole study, from problems to report"),
    "import": ("skythought.importing", "read a log of another tool as a run folder"),
    "export": ("skythought.exporting", "write a graded run as a log that Inspect reads"),
    "list": ("skythought.listing", "show the tasks, verifiers, backends, ... that flags take"),
    "doctor": ("skythought.doctor", "say what works here, and how to mend the rest"),
}

# package -> the extra of skythought that brings it
EXTRAS = {
    **dict.fromkeys(("accelerate", "datasets", "peft", "safetensors", "tokenizers"), "train"),
    **dict.fromkeys(("torch", "transformers", "trl"), "train"),
    **{name: name for name in ("ray", "vllm", "wandb")},
    "aiohttp": "openai",
    **dict.fromkeys(("if_verifiable", "langdetect"), "ifeval"),
    "pyarrow": "parquet",
    "rensa": "curate",
}

COMMON = ("--quiet", "--json")  # flags of every verb
ENDED = 128 + signal.SIGTERM  # exit code

# What is wrong with a path that the user gave; any other failure of the system is not theirs.
PLACES = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)


def main(args: Sequence[str] | None = None, verbs: Mapping[str, tuple[str, str]] = VERBS) -> int:
    """Run one command and return its exit code.

    Args:
        args: the words after `skythought`; those of the process where not given.
        verbs: the table of verbs.

    Raises:
        SystemExit: help was asked for (0), or tyro says itself what is wrong with a flag (2).
    """
    verb, *rest = [*(sys.argv[1:] if args is None else args)] or ["--help"]
    given = {flag for flag in COMMON if flag in rest}
    rest = [word for word in rest if word not in given]
    name = "skythought"
    try:
        if verb in ("-h", "--help", "help"):
            print(overview(verbs))
        elif verb == "--version":
            print(f"skythought {__version__}")
        elif verb == "completion":
            from skythought import completion

            print(completion.script(rest, verbs), end="")
        elif verb not in verbs:
            raise unknown("verb", verb, [*verbs, "completion"])
        else:
            name = f"skythought {verb}"
            module = importlib.import_module(verbs[verb][0])
            config = _config(module, name, rest)
            with _quiet("--quiet" in given), _tidy():
                result = module.run(config)
            if "--json" in given:
                _print_json(result)
            return module.exit_code(result) if hasattr(module, "exit_code") else 0
    except UserError as error:
        return _fail(f"{name}: {error}", error.exit_code)
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        command = f"pip install 'skythought[{EXTRAS[error.name]}]'"
        return _fail(f"{name}: this needs {error.name}, which is not installed; run: {command}", 2)
    except OSError as error:
        if error.errno not in PLACES or error.filename is None:
            raise
        reason = f"{error.filename}: {error.strerror}; choose another path or mend this one"
        return _fail(f"{name}: {reason}", 2)
    except KeyboardInterrupt:
        return _fail(f"{name}: stopped; the same command goes on from here", 130)
    except SystemExit as end:
        if end.code != ENDED:
            raise
        return _fail(f"{name}: ended by SIGTERM; the same command goes on from here", ENDED)
    return 0


@contextlib.contextmanager
def _tidy() -> Iterator[None]:
    """Let SIGTERM end a verb by an exception, so that nothing half written is left behind."""
    if signal.getsignal(signal.SIGTERM) != signal.SIG_DFL or not _is_main_thread():
        yield
        return

    def end(*_: object) -> None:
        sys.exit(ENDED)

    end.gives_way = True  # type: ignore[attr-defined]  # to who has something to wait for
    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def _quiet(quiet: bool) -> Iterator[None]:
    """Print nothing but errors while the block runs, where that is wanted."""
    if not quiet:
        yield
        return
    from skythought.core import progress

    before, progress.console.quiet = progress.console.quiet, True
    try:
        yield
    finally:
        progress.console.quiet = before


def _print_json(result: Any) -> None:
    """Print what a verb found, for programs; people's lines go to stderr."""
    import msgspec

    with contextlib.suppress(BrokenPipeError):  # read by `head`, which has seen enough
        print(msgspec.json.encode(result, enc_hook=str).decode(), flush=True)
        return
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def train() -> int:
    """Run `skythought train` under its own name, `skythought.train`."""
    return main(["train", *sys.argv[1:]])


def overview(verbs: Mapping[str, tuple[str, str]]) -> str:
    """Write the table of verbs."""
    width = max(map(len, verbs))
    return "\n".join(
        [
            "usage: skythought VERB [FLAGS]",
            "",
            "Teach an open model to reason from demonstrations, and know what made it work.",
            "",
            *(f"  {verb:<{width}}  {line}" for verb, (_, line) in verbs.items()),
            "",
            "skythought VERB --help shows the flags of a verb; skythought --version the version.",
            "Every verb takes --quiet (only errors are printed) and --json (its result on stdout).",
            "skythought completion bash, zsh or fish prints what completes these in a shell.",
            "Every command can be stopped and run again: it goes on where it was.",
        ]
    )


def _config(module: Any, prog: str, args: Sequence[str]) -> Any:
    import tyro

    about = inspect.cleandoc(module.__doc__ or "")
    try:
        with mistakes.in_one_line(module.Config, args):
            return tyro.cli(module.Config, args=args, prog=prog, description=about)
    except BrokenPipeError:  # help piped into `head`, which has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None


def _fail(message: str, code: int) -> int:
    print(plain(" ".join(message.splitlines())), file=sys.stderr)
    return code
