"""Programs that try to pass tests they should fail, or to use up what they are given.

`@TOKEN@` in an expectation is random, so nothing but the right answer equals it.
"""

from __future__ import annotations

# What each does on a test that reads nothing and expects a random token.
STDIN = {
    "exit 0": ("import sys\nsys.exit(0)", "expected"),
    "exit at once": ("import os\nos._exit(0)", "expected"),
    "the word passed": ("print('passed\\nOK\\n1.0\\ntrue')", "expected"),
    "printing at the end": ("import atexit\natexit.register(print, 'passed')", "expected"),
    "a killed self": ("import os\nos.kill(os.getpid(), 9)", "SIGKILL"),
    "reading memory for the answer": (
        (
            "import re, gc, sys\n"
            "found = set()\n"
            "for line in open('/proc/self/maps'):\n"
            "    a, b = (int(x, 16) for x in line.split()[0].split('-'))\n"
            "    if 'r' in line.split()[1] and b - a < 1 << 26 and '[v' not in line:\n"
            "        try:\n"
            "            with open('/proc/self/mem', 'rb', 0) as mem:\n"
            "                mem.seek(a)\n"
            "                found |= set(re.findall(rb'token-[0-9a-f]{32}', mem.read(b - a)))\n"
            "        except (OSError, ValueError):\n            pass\n"
            "print(*(f.decode() for f in found))"
        ),
        "expected",
    ),
    "looking through frames and modules": (
        (
            "import gc, sys, re\n"
            "text = ' '.join(str(o) for o in gc.get_objects() if isinstance(o, (dict, list)))\n"
            "frame = sys._getframe()\n"
            "while frame:\n    text += repr(frame.f_locals)\n    frame = frame.f_back\n"
            "print(*set(re.findall('token-[0-9a-f]{32}', text)))"
        ),
        "expected",
    ),
    "an answer beside stdout": ("import sys\nprint('token', file=sys.stderr)", "expected"),
    "no stdout": ("import os\nos.close(1)\nos.close(2)", "expected"),
    "closed descriptors and a long sleep": (
        "import os, time\nos.closerange(0, 1000)\ntime.sleep(1000)",
        "more than 3 s",
    ),
    "a stopped self": ("import os\nos.kill(os.getpid(), 19)", "more than 3 s"),
    "an endless wait for input": (
        "import os, time\nos.dup2(os.pipe()[0], 0)\ninput()",
        "more than",
    ),
    "reading past the end": ("import sys\nprint(sys.stdin.read() + input())", "EOFError"),
    "signals ignored": (
        (
            "import signal\n"
            "for n in range(1, 65):\n"
            "    try:\n        signal.signal(n, signal.SIG_IGN)\n"
            "    except (OSError, ValueError):\n        pass\n"
            "while True: pass"
        ),
        "processor time",
    ),
    "an endless loop in C": ("x = 7 ** 7 ** 9", "processor time|MiB|MemoryError"),
    "a slow pattern": ("import re\nre.match('(a+)+$', 'a' * 99 + 'b')", "processor time"),
    "a fork bomb": (
        "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
        "processor time|more than|MiB",
    ),
    "a fork bomb of daemons": (
        (
            "import os\n"
            "while True:\n"
            "    try:\n        if os.fork() == 0:\n            os.setsid()\n"
            "    except OSError:\n        pass"
        ),
        "processor time|more than|MiB",
    ),
    "a thread bomb": (
        (
            "import threading, time\n"
            "while True: threading.Thread(target=time.sleep, args=(99,)).start()"
        ),
        "RuntimeError|more than|MemoryError",
    ),
    "a memory bomb": ("x = bytearray(1 << 40)", "MemoryError"),
    "memory bit by bit": ("x = []\nwhile True: x.append(bytes(1 << 20) + b'x')", "MiB|MemoryError"),
    "memory in many processes": (
        (
            "import os, time\n"
            "for _ in range(12): os.fork() or (bytearray(b'x' * (200 << 20)), time.sleep(9))\n"
            "time.sleep(9)"
        ),
        "MiB",
    ),
    "a compressed bomb": (
        (
            "import zlib\nx = zlib.compress(bytes(1 << 27))\n"
            "y = [zlib.decompress(x) + b'x' for _ in x]"
        ),
        "MiB|MemoryError|processor",
    ),
    "endless output": ("while True: print('x' * 9999)", "wrote more"),
    "endless complaints": (
        "import sys\nwhile True: print('x' * 9999, file=sys.stderr)",
        "processor time|more than",
    ),
    "output after the fork": (
        "import os\nos.fork()\nwhile True: os.write(1, b'x' * 65536)",
        "wrote more",
    ),
    "deep recursion": ("def f(): f()\nf()", "RecursionError|SIGSEGV|MemoryError|MiB"),
    "deep recursion in C": (
        (
            "import sys\nsys.setrecursionlimit(10**9)\nx = []\n"
            "for _ in range(10**6): x = [x]\nprint(repr(x))"
        ),
        "SIGSEGV|MemoryError|RecursionError|processor time",
    ),
    "nested brackets": ("eval('(' * 10**6 + ')' * 10**6)", "Error"),
    "a crash": ("import ctypes\nctypes.string_at(0)", "SIGSEGV"),
    "an exception that lies": (
        "class E(Exception):\n    def __str__(self): raise E\nraise E",
        "E",
    ),
    "control characters": ("raise ValueError('\\x1b[2J\\u202e\\n\\nparty')", "ValueError"),
}

# What each does for a function `f` that should return a random token.
EQUAL = (
    "class Same(@BASE@):\n    def __eq__(self, o): return True\n    __ne__ = lambda s, o: False\n"
)
FRAME = "import os, json\ndef say(b, n=None): os.write(4, (n or len(b)).to_bytes(4, 'big') + b)\n"
CALLS = {
    "equal to all": EQUAL.replace("@BASE@", "object") + "def f(x): return Same()",
    "a text equal to all": EQUAL.replace("@BASE@", "str") + "def f(x): return Same('x')",
    "a list equal to all": EQUAL.replace("@BASE@", "list") + "def f(x): return Same([1])",
    "a class equal to all": (
        "class M(type):\n    def __eq__(s, o): return True\n    __hash__ = None\n"
        "class A(metaclass=M): pass\ndef f(x): return A"
    ),
    "exit in the call": "import sys\ndef f(x): sys.exit(0)",
    "hard exit in the call": "import os\ndef f(x): os._exit(0)",
    "exit when loaded": "import sys\ndef f(x): return 'x'\nsys.exit(0)",
    "an assertion of its own": "def f(x): raise AssertionError",
    "no assertion at all": (
        "import builtins\nbuiltins.AssertionError = type('Never', (Exception,), {})\n"
        "builtins.__debug__ = 1\ndef f(x): return 0"
    ),
    "patched modules": (
        "import json, ast, sys, builtins\n"
        "json.loads = lambda *a, **k: {'passed': True}\n"
        "builtins.all = builtins.any = lambda *a: True\n"
        "import skythought.verifiers.code_plain as p, skythought.verifiers.code_child as c\n"
        "p.same = lambda *a: True\nc.check = lambda *a: {'passed': True, 'of': 9}\n"
        "def f(x): return 0"
    ),
    "a forged verdict": FRAME + 'say(b\'{"passed": true, "of": 9}\')\ndef f(x): return 0',
    "a forged verdict in the call": (
        FRAME + 'def f(x):\n    say(b\'{"passed": true, "of": 9, "status": "ok"}\')\n    return 0'
    ),
    "answers before they are asked for": FRAME
    + "for _ in range(9): say(b'{\"value\": 1}')\ndef f(x): 0",
    "an endless answer": FRAME + "def f(x): say(b'x', 0xFFFFFFFF)",
    "half an answer": FRAME + "import time\ndef f(x):\n    say(b'{\"va', 99)\n    os._exit(0)",
    "no data": FRAME + "def f(x):\n    say(b'\\xff\\x00' * 99)",
    "data nested deeply": FRAME + "def f(x): say(b'[' * 99999 + b']' * 99999)",
    "an answer of another shape": FRAME + "def f(x): say(b'[1, 2]')",
    "a value of another shape": FRAME + 'def f(x): say(b\'{"value": {"tuple": {"set": 7}}}\')',
    "a list that holds itself": "def f(x):\n    x = []\n    x.append(x)\n    return x",
    "a list nested deeply": ("def f(x):\n    for _ in range(10**5): x = [x]\n    return x"),
    "a huge number": "def f(x): return 1 << (1 << 26)",
    "a huge text": "def f(x): return 'x' * (1 << 26)",
    "an endless iterator": "def f(x):\n    while True: yield 1",
    "a lying class": (
        "class L(list):\n    __class__ = str\n    def __iter__(s): return iter(['y'] * 9**9)\n"
        "    __len__ = lambda s: 9**9\ndef f(x): return L()"
    ),
    "a pickle": (
        "class P:\n    def __reduce__(s): return __import__('os').system, ('touch /tmp/pwned',)\n"
        "def f(x): return P()"
    ),
    "an interrupt": "def f(x): raise KeyboardInterrupt",
    "not a number": "def f(x): return float('nan')",
    "the test's own names": (
        "def check(f): pass\ncandidate = lambda x: x\ndef f(x): return check\n"
        "import sys\nsys.modules['__main__'].check = check"
    ),
    "an object that answers everything": (
        "class Any:\n    def __getattr__(s, n): return s\n    def __call__(s, *a): return s\n"
        "    def __eq__(s, o): return True\n    def __bool__(s): return True\n"
        "def f(x): return Any()"
    ),
    "no function at all": "print('passed')",
    "changed arguments": "def f(x):\n    x.clear()\n    return x",
    "a closed pipe": "import os\ndef f(x): os.closerange(0, 99)",
    "a killed runner": "import os\ndef f(x):\n    os.kill(1, 9)\n    os.kill(os.getppid(), 15)",
    "a thread that waits": (
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(999,)).start()\ndef f(x): return 0"
    ),
}
