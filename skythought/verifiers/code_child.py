r"""What a process inside the sandbox does: run a program, serve its functions, or check assertions.

    run_main("print(int(input()) * 2)", names)   reads stdin, writes stdout
    serve(...)     <- {"name": "f", "args": [2], "kwargs": {}}     -> {"value": 4}
    check(...)     -> {"name": "f", "args": [2], "kwargs": {}} ... -> {"passed": true, "of": 3}

Assertions and the program they are about never share a process or a sandbox: where the assertions
call `f`, the call goes out as data, whoever started the two sandboxes has it answered by the other
one, and its value comes back as data. Standard library only.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import os
import sys
import types
from typing import TYPE_CHECKING, Any

from skythought.verifiers.code_plain import Decoder, Encoder

if TYPE_CHECKING:
    import ast

ASKED, ANSWERED = 3, 4  # file descriptors of a process that answers messages
SETTLE = "__settle__"  # the name by which assertions have arguments changed
Names = dict[str, Any]


class ProgramFailed(Exception):
    """Stands in the checker for an exception that only the program knows."""


def run_main(source: str, names: Names) -> int:
    """Run a program as a script; returns the exit code."""
    code = execute(source, module("__main__", names))
    try:  # as the interpreter does at its end
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
        import atexit

        atexit._run_exitfuncs()
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - whatever a program left behind
        complain(error)
        code = 1
    return code


def execute(source: str, space: Names) -> int:
    """Run source text; an exception is written to stderr."""
    vars(builtins).update(exit=sys.exit, quit=sys.exit)
    space.update(stdin=sys.stdin, stdout=sys.stdout)
    try:
        exec(compile(source, "program.py", "exec"), space)
    except SystemExit:
        return 0
    except BaseException as error:  # noqa: BLE001 - a program may raise anything
        complain(error)
        return 1
    return 0


def renew_streams() -> None:
    """Make stdin and stdout of what the descriptors are now."""
    read, write = (
        os.fdopen(end, mode, closefd=False, encoding="utf-8", errors="replace")
        for end, mode in ((0, "r"), (1, "w"))
    )
    vars(sys).update(stdin=read, __stdin__=read, stdout=write, __stdout__=write)


def module(name: str, names: Names) -> Names:
    """Make an empty module and give its namespace, filled with what needs no import."""
    made = types.ModuleType(name)
    sys.modules[name] = made
    space: Names = made.__dict__
    space.update({k: v for k, v in names.items() if not k.startswith("__")})
    return space


def complain(error: BaseException) -> None:
    """Write the last line of a traceback."""
    with contextlib.suppress(OSError):
        os.write(2, f"\n{describe(error)}\n".encode("utf-8", "replace"))


def describe(error: BaseException) -> str:
    """Name an exception in one line."""
    try:
        text = " ".join(str(error).split())[:300]
    except BaseException:  # noqa: BLE001 - its __str__ is the program's
        text = ""
    name = type(error).__name__
    return f"{name}: {text}" if text else name


class Program:
    """The functions of a loaded program, and the objects it handed out."""

    def __init__(self, space: Names, given: Names) -> None:
        self.space, self.given = space, given
        self.solution: Any = None
        self.objects: list[Any] = []
        self.numbers: dict[int, int] = {}

    def keep(self, value: Any) -> int:
        """Give the number that stands for an object outside."""
        number = self.numbers.setdefault(id(value), len(self.objects))
        if number == len(self.objects):
            self.objects.append(value)
        return number

    def find(self, asked: dict[str, Any]) -> Any:
        """Find what a call is for: an object met before, a method of Solution, or a function.

        Raises:
            NameError: the program does not define it.
        """
        if "object" in asked:
            return self.objects[asked["object"]]
        name = asked["name"]
        solution = self.space.get("Solution")
        if solution is not None and hasattr(solution, name):
            if self.solution is None:  # one object for all calls, as LiveCodeBench does
                self.solution = solution()
            return getattr(self.solution, name)
        missing = object()
        found = self.space.get(name, missing)
        if found is missing or found is self.given.get(name, missing):
            raise NameError(f"the program does not define {name}")
        return found

    def call(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Answer one message."""
        try:
            decoder = Decoder(self.objects.__getitem__)
            args = [decoder(value) for value in asked["args"]]
            kwargs = {key: decoder(value) for key, value in asked["kwargs"].items()}
            target = self.find(asked)
            value = getattr(target, asked["get"]) if "get" in asked else target(*args, **kwargs)
            encoder = Encoder(self.keep)
            reply = {"value": encoder(value)}
            after = [encoder(value) for value in args]
            if after != asked["args"]:  # the call changed what it was given
                reply["args"] = after
        except BaseException as error:  # noqa: BLE001 - a program may raise anything
            name, _, text = describe(error).partition(": ")
            return {"raise": [name, text]}
        return reply


def serve(source: str, starter: str, names: Names) -> int:
    """Load the program, then answer calls of its functions until nobody asks."""
    space = module("program", names)
    given = dict(space)
    prompt(starter, space)
    try:
        compile(source, "program.py", "exec")
    except SyntaxError:
        source = starter + source  # the rest of the function that the prompt begins
    if execute(source, space):
        return 1
    program = Program(space, given)
    send({})
    while (asked := receive()) is not None:
        send(program.call(asked))
    return 0


def prompt(starter: str, space: Names) -> None:
    """Run what the problem gives: imports and functions to use. A header without a body is none."""
    with contextlib.suppress(SyntaxError):
        exec(compile(starter, "starter.py", "exec"), space)


def run_checks(names: Names) -> int:
    """Wait for assertions, run them, say how they ended. The program under test is not here."""
    send({})
    given = receive()
    if given is None:
        return 1
    space = module("checks", names)
    send(check(given["source"], given["starter"], given["names"], space))
    return 0


def check(source: str, starter: str, wanted: list[str], space: Names) -> dict[str, Any]:
    """Run assertions with stubs in place of the program's functions."""
    import ast  # only here: it costs every sandbox its start

    given = dict(space)
    prompt(starter, space)
    tree = ast.parse(source)
    asserts = [n.end_lineno or n.lineno for n in ast.walk(tree) if isinstance(n, ast.Assert)]
    for name in program_names(tree, wanted, given, space):
        space[name] = Stub({"name": name})
    space[SETTLE] = settle
    settle_after_statements(tree)
    try:
        exec(compile(tree, "tests.py", "exec"), space)
    except Exception as error:  # noqa: BLE001 - the assertion, or what the program raised
        lines, trace = [], error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == "tests.py":
                lines.append(trace.tb_lineno)
            trace = trace.tb_next
        line = lines[-1] if lines else 0
        text = source.splitlines()[line - 1].strip() if line else ""
        index = min(sum(end < line for end in asserts) + 1, len(asserts))
        why = "" if isinstance(error, AssertionError) else describe(error)
        return {"passed": False, "index": index, "of": len(asserts), "line": text, "why": why}
    return {"passed": True, "of": len(asserts)}


def program_names(tree: ast.Module, wanted: list[str], given: Names, space: Names) -> set[str]:
    """List the names in assertions that the program has to define.

    `wanted` says which is under test. Of the other names that neither the assertions nor the
    problem define, those that need no import (`given`) are left out, unless there would be no name
    at all: in "assert add(1, 2) == 3" it is the program's `add` that is meant.
    """
    import ast

    used: set[str] = set()
    known = {*dir(builtins), *(k for k, v in space.items() if k not in given or v is not given[k])}
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                used.add(name)
            case ast.Name(id=name) | ast.arg(arg=name):
                known.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                known.add(name)
            case ast.ExceptHandler(name=str(name)):
                known.add(name)
            case ast.alias(name=name, asname=other):
                known.add(other or name.partition(".")[0])
    modules = {k for k, v in given.items() if isinstance(v, types.ModuleType)}
    unknown = used - known - modules - set(wanted)
    return {*wanted, *(unknown - set(given))} or unknown


def settle_after_statements(tree: ast.AST) -> None:
    """Have what a program did to its arguments happen after the statement that called it.

    Within `assert f(a) == sorted(a)` both sides see the same `a`, whatever `f` does to it; after
    `f(a)`, `assert a == [1, 2]` sees the change. Of `assert f(a) and a == [1, 2]` each part counts
    as an assertion of its own.
    """
    import ast

    nested = (ast.If, ast.While, ast.For, ast.With, ast.ExceptHandler)
    for node in [*ast.walk(tree)]:
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if not isinstance(block, list) or not block:
                continue
            made = [_settling(block[0])] if isinstance(node, nested) else []
            for part in block:
                parts = [part]
                match part:
                    case ast.Assert(test=ast.BoolOp(op=ast.And(), values=tests), msg=message):
                        both = (ast.Assert(test, message) for test in tests)
                        parts = [ast.copy_location(one, part) for one in both]
                for one in parts:
                    calls = any(isinstance(n, ast.Call) for n in ast.walk(one))
                    made += [one, _settling(one)] if calls else [one]
            block[:] = made


def _settling(beside: ast.stmt) -> ast.stmt:
    import ast

    call = ast.Expr(ast.Call(ast.Name(SETTLE, ast.Load()), [], []))
    for node in ast.walk(call):
        ast.copy_location(node, beside)
    return call


def settle() -> None:
    """Do to arguments what the program did to its copies."""
    for value, after in CHANGES.values():
        match value:
            case list() | bytearray():
                value[:] = after
            case dict() | set():
                value.clear()
                value.update(after)
    CHANGES.clear()


class Stub:
    """Stands in the checker for a function or an object of the program."""

    def __init__(self, target: dict[str, Any]) -> None:
        self._target = target

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Have a call answered by the program."""
        encoder = Encoder(_number)
        sent = [CHANGES.get(id(value), (value, value))[1] for value in args]
        message = {**self._target, "args": [encoder(value) for value in sent]}
        message["kwargs"] = {key: encoder(value) for key, value in kwargs.items()}
        reply = _ask(message)
        for value, given in zip(args, reply.get("args", ()), strict=False):
            after = Decoder(_stub)(given)
            if type(after) is type(value):
                CHANGES[id(value)] = value, after
        returned = Decoder(_stub)(reply["value"])
        if returned is None:  # as of a function that is there for what it changes: (f(a) or a)
            settle()
        return returned

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Decoder(_stub)(
            _ask({**self._target, "get": name, "args": [], "kwargs": {}})["value"]
        )


STUBS: dict[int, Stub] = {}
CHANGES: dict[int, tuple[Any, Any]] = {}  # by its id: an argument, and what it is to become


def _stub(number: int) -> Stub:
    return STUBS.setdefault(number, Stub({"object": number}))


def _number(value: Any) -> int:
    if not isinstance(value, Stub) or "object" not in value._target:
        raise ValueError(
            f"the assertions hand over a {type(value).__name__}, which is no plain data"
        )
    number: int = value._target["object"]
    return number


def _ask(message: dict[str, Any]) -> dict[str, Any]:
    send(message)
    reply = receive()
    if reply is None:
        os._exit(1)
    if "raise" in reply:
        name, text = reply["raise"]
        kind: Any = getattr(builtins, name, None)
        known = isinstance(kind, type) and issubclass(kind, Exception)
        raise (
            kind(text) if known and kind is not AssertionError else ProgramFailed(f"{name}: {text}")
        )
    return reply


def send(message: dict[str, Any]) -> None:
    """Write one message: its length in four bytes, then JSON."""
    body = json.dumps(message).encode()
    body = len(body).to_bytes(4, "big") + body
    while body:
        body = body[os.write(ANSWERED, body) :]


def receive() -> dict[str, Any] | None:
    """Read one message; None where nobody asks any more."""
    head = _exactly(4)
    body = None if head is None else _exactly(int.from_bytes(head, "big"))
    if body is None:
        return None
    message: dict[str, Any] = json.loads(body)
    return message


def _exactly(size: int) -> bytes | None:
    read = b""
    while len(read) < size:
        part = os.read(ASKED, min(size - len(read), 1 << 20))
        if not part:
            return None
        read += part
    return read
