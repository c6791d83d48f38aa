"""Names of processes that hold leases, and which of them have certainly exited."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path

from policenotify.journal.clock import boot_id


@cache
def this_machine() -> str:
    """Return the host's name for people, and this boot with its namespace of process ids, empty if not known.

    A boot has one id in all its containers, each of which has a namespace.
    """
    try:
        here = f"{boot_id()}:{Path('/proc/self/ns/pid').stat().st_ino}" if boot_id() else ""
    except OSError:  # not Linux
        here = ""
    return f"{socket.gethostname()}/{here}"


def this_process() -> str:
    """Return the name of this process: its machine, its id and its start. A forked child has another."""
    return _name_of(os.getpid())


@cache
def _name_of(pid: int) -> str:
    return f"{this_machine()}/{pid}/{_started(pid) or ''}"


def host_of(owner: str) -> str:
    """Return the host's name in the name of a process."""
    return owner.partition("/")[0]


@cache
def process_user() -> str:
    """Return who runs this process, as the system knows it: user and host."""
    name, uid, host = "-", os.getuid() if hasattr(os, "getuid") else "-", host_of(this_machine())
    with suppress(ImportError, KeyError):
        import pwd  # noqa: PLC0415 - not on Windows

        name = pwd.getpwuid(os.getuid()).pw_name
    return f"{name} (uid {uid}) on {host}"


def is_dead(owner: str) -> bool:
    """Return True if the process named *owner* has certainly exited. For those elsewhere the lease decides."""
    _, here, pid, started, *_ = (*owner.split("/"), "", "", "", "")
    if not here or here != this_machine().partition("/")[2] or not pid.isdecimal():
        return False  # of another boot or namespace, of which nothing is known
    seen = _started(int(pid))
    return seen == "" or bool(seen and started and seen != started)


def _started(pid: int) -> str | None:
    """Return when the process of that number started, "" if there is none, None if that cannot be read."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:  # there is none, or it is another user's and hidden (proc(5), hidepid)
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):  # no process has so high a number
            return ""
        except PermissionError:
            pass
        return None
    # proc_pid_stat(5), counted after the command's closing parenthesis: state, and as field 22 the start.
    return "" if fields[0] in {"Z", "X"} else fields[19]
