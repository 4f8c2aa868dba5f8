"""Programs that try to get out of the sandbox: each prints "held", or what it reached.

None does harm where it succeeds: files are opened for writing and not written to.

Values of the host are put in for `@NAME@`. `reached(...)` is given to all of them.
"""

from __future__ import annotations

# So that a sandbox with a hole is not an accident: inside, the parent is the first process.
GUARD = """import os
assert os.getppid() == 1, "not in a sandbox"
"""
BEGIN = """
import os, sys, ctypes, socket, subprocess, resource, stat, time
libc = ctypes.CDLL(None, use_errno=True)
def reached(*attempts):
    for attempt in attempts:
        try:
            found = attempt()
        except BaseException:
            continue
        if found is not None and found is not False:
            print("ESCAPED", repr(found)[:200])
            return
    print("held")
def reads(path):
    return lambda: open(path, "rb").read(9) and path
def writes(path):
    return lambda: os.close(os.open(path, os.O_WRONLY | os.O_CREAT)) or path
def refused(result):
    return result == -1 and ctypes.get_errno() == 1
def connects(family, kind, address):
    def attempt():
        end = socket.socket(family, kind)
        end.settimeout(1)
        end.connect(address)
        end.send(b"x")
        return address
    return attempt
def call(number, *args):
    return lambda: libc.syscall(number, *args) >= 0 and number
def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]
"""

ESCAPES = {
    "tcp to the host": "reached(connects(2, 1, ('127.0.0.1', @PORT@)))",
    "udp to the outside": "reached(connects(2, 2, ('8.8.8.8', 53)), connects(10, 2, ('::1', 53)))",
    "netlink": "reached(lambda: socket.socket(16, 3, 0))",
    "vsock to the host of a virtual machine": "reached(lambda: socket.socket(40, 1))",
    "raw packets": "reached(lambda: socket.socket(17, 3, 0x0300))",
    "an abstract socket of the host": "reached(connects(1, 1, '\\0@SOCKET@'))",
    "a web page": (
        "import urllib.request\n"
        "reached(lambda: urllib.request.urlopen('http://127.0.0.1:@PORT@', timeout=1).status)"
    ),
    "name lookup": "reached(lambda: socket.getaddrinfo('example.com', 80))",
    "a file of the host": "reached(reads('@SECRET_FILE@'))",
    "well-known files": (
        "reached(*map(reads, ['/etc/passwd', '/etc/shadow', '/etc/hosts', '/root/.bashrc',"
        " os.path.expanduser('~root/.ssh/id_rsa'), '/var/log/dpkg.log', '/.dockerenv']))"
    ),
    "home and project": (
        "reached(lambda: os.path.exists('@PROJECT@') and '@PROJECT@',"
        " lambda: [n for n in os.listdir('/root') if n not in '@PYTHON@'] or None,"
        " lambda: os.listdir('/home') or None)"
    ),
    "a symbolic link": (
        "os.path.lexists('/tmp/link') or os.symlink('@SECRET_FILE@', '/tmp/link')\n"
        "os.path.lexists('/tmp/other') or os.symlink('/proc/1/root/etc/passwd', '/tmp/other')\n"
        "reached(reads('/tmp/link'), reads('/tmp/other'))"
    ),
    "a path with dots": (
        "reached(reads('../' * 30 + '@SECRET_FILE@'[1:]),"
        " reads('/proc/self/cwd/../../..@SECRET_FILE@'), reads('/proc/1/cwd@SECRET_FILE@'))"
    ),
    "the environment": (
        "seen = repr(dict(os.environ))\n"
        "for path in ('/proc/self/environ', '/proc/1/environ'):\n"
        "    try:\n        seen += open(path).read()\n    except OSError:\n        pass\n"
        "reached(lambda: '@SECRET@' in seen or None)"
    ),
    "processes of the host": (
        "names = [open(f'/proc/{p}/cmdline').read() for p in pids()]\n"
        "reached(lambda: [n for n in names if 'pytest' in n] or None,"
        " lambda: len(names) > 3 or None, lambda: os.kill(@PID@, 0) or 'kill')"
    ),
    "the result pipe": (
        'forged = \'{"status": "ok", "detail": "", "size": 5}\\nfaked\'\n'
        "reached(*(lambda e=e: os.write(os.open(f'/proc/1/fd/{e}', 1), forged.encode())"
        " for e in range(9)), *(lambda e=e: os.write(e, forged.encode()) for e in range(3, 99)))"
    ),
    "the runner's memory": "reached(*map(reads, ['/proc/1/mem', '/proc/1/maps', '/proc/1/stack']))",
    "ptrace": "reached(call(101, 16, 1, 0, 0), call(101, 0x4206, 1, 0, 0))",
    "reading memory across processes": (
        "class V(ctypes.Structure):\n"
        "    _fields_ = [('b', ctypes.c_void_p), ('n', ctypes.c_size_t)]\n"
        "b = ctypes.create_string_buffer(9)\n"
        "v = V(ctypes.addressof(b), 9)\n"
        "reached(call(310, os.getpid(), ctypes.byref(v), 1, ctypes.byref(v), 1, 0))"
    ),
    "killing the runner": (
        "for number in (9, 15, 2, 19, 6, 11):\n"
        "    try:\n        os.kill(1, number)\n        os.kill(os.getppid(), number)\n"
        "    except OSError:\n        pass\n"
        "print('held')"
    ),
    "killing everything": (
        "import signal\nsignal.signal(15, signal.SIG_IGN)\n"
        "try:\n    os.kill(-1, 15)\nexcept OSError:\n    pass\nprint('held')"
    ),
    "writing into the library": (
        "reached(writes(os.__file__), writes(os.path.dirname(os.__file__) + '/x.py'),"
        " writes('/sandbox/skythought/verifiers/code_runner.py'), writes('/x'), writes('/dev/x'),"
        " writes('/usr/lib/x'), writes('/packages/x.py'), writes('/etc/ld.so.preload'))"
    ),
    "writing to the host": (
        "reached(writes('@PROJECT@/x'), writes('/var/tmp/@SOCKET@'), writes('@HOME@/@SOCKET@'))"
    ),
    "remounting": (
        "reached(lambda: not refused(libc.mount(b'x', b'/none', b'none', 0, b'')),"
        " lambda: not refused(libc.umount2(b'/none', 0)), call(428, -100, b'/', 1))"
    ),
    "namespaces of its own": (
        "flags = 0x10000000, 0x20000, 0x40000000\n"
        "reached(*(lambda f=f: libc.unshare(f) == 0 or None for f in flags),"
        " lambda: libc.setns(os.open('/proc/1/ns/mnt', 0), 0) == 0 or None,"
        " call(56, 0x10000000 | 17, 0, 0, 0, 0))"
    ),
    "chroot": (
        "os.makedirs('/tmp/jail', exist_ok=True)\n"
        "reached(lambda: os.chroot('/tmp/jail') or 'chroot')"
    ),
    "becoming root": (
        "reached(lambda: os.setuid(0) or 'setuid', lambda: os.setresuid(0, 0, 0) or 'setresuid',"
        " lambda: os.setgroups([0]) or 'setgroups', lambda: os.geteuid() == 0 or None,"
        " lambda: os.chown('/tmp', 0, 0) or 'chown')"
    ),
    "devices": (
        "reached(lambda: os.mknod('/tmp/d', stat.S_IFBLK | 0o666, os.makedev(254, 0)) or 'mknod',"
        " *map(reads, ['/dev/mem', '/dev/kmsg', '/dev/vda', '/dev/sda', '/dev/kvm', '/dev/fuse']))"
    ),
    "programs of the host": (
        "reached(*(lambda p=p: subprocess.run([p, '--version'], capture_output=True) and p"
        " for p in ('/bin/sh', '/usr/bin/env', '/usr/bin/bwrap', '/usr/bin/su', 'gcc')))"
    ),
    "calls of the kernel": (
        "reached(*(call(n, 0, 0, 0, 0, 0, 0) for n in (425, 319, 321, 298, 323, 250, 248, 175, 246,"
        " 304, 300, 447)), call(29, 0, 4096, 0o1600), call(435, 0, 0))"
    ),
    "the terminal": (
        "import fcntl\nreached(lambda: fcntl.ioctl(os.open('/dev/tty', 2), 0x5412, b'x') or 1)"
    ),
    "settings of the kernel": (
        "reached(*map(writes, ['/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger',"
        " '/proc/sys/kernel/hostname', '/sys/power/state', '/sys/fs/cgroup/cgroup.procs']))"
    ),
    "raising its limits": (
        "reached(lambda: resource.setrlimit(resource.RLIMIT_NPROC, (9999, 9999)) or 1,"
        " lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1)) or 1,"
        " lambda: resource.prlimit(1, resource.RLIMIT_CPU, (1, 1)) or 1,"
        " lambda: os.write(os.open('/proc/self/oom_score_adj', 1), b'-999'),"
        " lambda: os.nice(-5) or 1)"
    ),
    "a full disk": (
        "def fill():\n"
        "    for number in range(100):\n"
        "        open(f'/tmp/{number}', 'wb').write(bytes(8 << 20))\n"
        "reached(lambda: fill() or 'no end', lambda: os.truncate('/tmp/0', 1 << 40) or 'truncate')"
    ),
    "a process that stays": (
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(1000)\n"
        "    os._exit(0)\nprint('held')"
    ),
    "children that nobody waits for": (
        "for _ in range(9):\n    if os.fork() == 0:\n        os._exit(0)\nprint('held')"
    ),
    "files for the next test": (
        "import glob\nopen('/tmp/seen', 'a').write('x')\n"
        "reached(lambda: glob.glob('/tmp/**/*expected*', recursive=True) or None,"
        " lambda: [f for f in os.listdir('/tmp') if f != 'seen'] or None)"
    ),
    "waiting for the next test": (
        "if os.fork() == 0:\n    os.setsid()\n    import signal\n"
        "    [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 13, 15)]\n"
        "    while True:\n        os.write(1, b'')\n        time.sleep(0.01)\n"
        "reached(lambda: len(pids()) > 4 or None)"
    ),
}
