"""Who holds a lease: this process on this host, told apart from a later one with the same number."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

_PARTS = 4
_HIDDEN = "-"  # when a process was started, where the system does not tell


def this_process() -> str:
    """Names this process: host and process namespace, boot, process id, and when the process was started.

    A forked child is another process, so the name is made anew for each id.
    """
    return _process(os.getpid())


@cache
def _process(pid: int) -> str:
    return "/".join((_host(), _boot(), str(pid), _started(pid)))


def is_dead(owner: str) -> bool:
    """Whether the process that *owner* names is certainly gone. Of another host nothing is known: `False`."""
    host, boot, pid, started = (*owner.split("/"), "", "", "", "")[:_PARTS]
    if host != _host() or not pid.isdecimal():
        return False
    if boot != _boot():
        return True
    # Of another user's process no more may be seen than that it lives (proc(5), hidepid): then the lease must do.
    return not _alive(int(pid)) or _started(int(pid)) not in {started, _HIDDEN}


def _host() -> str:
    # Two containers may share host name, boot and journal, and yet not see each other's processes.
    return f"{socket.gethostname()}:{_namespace()}"


@cache
def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:  # not Linux: there are no such namespaces
        return "-"


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:8]
    except OSError:  # not Linux: a process id and the lease's end must do
        return "-"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _started(pid: int) -> str:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return _HIDDEN
    # proc_pid_stat(5), counted after the command's closing parenthesis: state, and as field 22 the start.
    return "" if fields[0] in {"Z", "X"} else fields[19]
