r"""The system calls a program under test may not make, as the BPF blob that bubblewrap loads.

    blob("x86_64") -> b"\x20\x00\x00\x00..."; None for a machine this file has no numbers of

Everything else is let through: what a call can reach is limited by the namespaces. Named here is
what reaches past them or has no business in a solution: other processes' memory, mounts and
namespaces, keys, the kernel's own loaders, sockets other than AF_UNIX (a VM's vsock knows no
namespaces), and memory that no limit of a process counts. A refused call fails with EPERM; one made
through another instruction set ends the process.
"""

from __future__ import annotations

import struct

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# Name: number on x86_64, number on aarch64; None where the machine has no such call.
REFUSED: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "quotactl": (179, 60),
    "acct": (163, 89),
    "syslog": (103, 116),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "personality": (135, 92),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "vhangup": (153, 58),
}
CLONE = (56, 220)
CLONE3 = (435, 435)  # its flags lie in memory, where no filter can look; libc falls back to clone
SOCKETS = ((41, 198), (53, 199))  # socket and socketpair
IOCTL = (16, 29)
PRLIMIT = (302, 261)  # of another process than the caller
NEW_NAMESPACES = 0x7E020000
TERMINAL = (0x5412, 0x541C)  # TIOCSTI and TIOCLINUX type into a terminal
AF_UNIX = 1
EPERM, ENOSYS = 1, 38

# Instructions of classic BPF, and the offsets in struct seccomp_data.
LOAD, EQUAL, AT_LEAST, ANY_OF, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, FIRST, SECOND = 0, 4, 16, 24
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
X32 = 0x40000000  # begins the numbers of x86_64's other set of calls


def blob(machine: str) -> bytes | None:
    """Build the filter for a machine as `platform.machine()` names it."""
    if machine not in ARCHITECTURES:
        return None
    column = list(ARCHITECTURES).index(machine)
    code = [
        _op(LOAD, ARCHITECTURE),
        _op(EQUAL, ARCHITECTURES[machine], 1, 0),
        _op(RETURN, KILL),
        _op(LOAD, NUMBER),
        _op(AT_LEAST, X32, 0, 1),
        _op(RETURN, KILL),
    ]
    for numbers in REFUSED.values():
        number = numbers[column]
        if number is not None:
            code += [_op(EQUAL, number, 0, 1), _op(RETURN, ERRNO | EPERM)]
    code += [_op(EQUAL, CLONE3[column], 0, 1), _op(RETURN, ERRNO | ENOSYS)]
    for number in (s[column] for s in SOCKETS):
        code += _unless(number, FIRST, [_op(EQUAL, AF_UNIX, 1, 0)])
    code += _unless(CLONE[column], FIRST, [_op(ANY_OF, NEW_NAMESPACES, 0, 1)])
    code += _unless(PRLIMIT[column], FIRST, [_op(EQUAL, 0, 1, 0)])
    for request in TERMINAL:
        code += _unless(IOCTL[column], SECOND, [_op(EQUAL, request, 0, 1)])
    return b"".join([*code, _op(RETURN, ALLOW)])


def _unless(number: int, argument: int, test: list[bytes]) -> list[bytes]:
    """Refuse a call unless a test of one argument skips that; then load the number again."""
    body = [_op(LOAD, argument), *test, _op(RETURN, ERRNO | EPERM), _op(LOAD, NUMBER)]
    return [_op(EQUAL, number, 0, len(body)), *body]


def _op(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)
