"""Names of processes that hold leases, and which of them have certainly exited."""

from __future__ import annotations

import hashlib
import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from policenotify.journal.clock import boot_id

_PARTS = 4
_UNKNOWN = "-"  # not known on this system
_MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))  # machine-id(5)


@dataclass(frozen=True, slots=True)
class Machine:
    """One boot of one machine.

    Attributes:
        host: The host's name. Clones may share it.
        id: The hashed machine id. Clones may share it too.
        boot: The id of this start of the kernel, the same in all its containers.
        processes: The namespace of process ids. Containers have their own.
    """

    host: str
    id: str
    boot: str
    processes: str

    def __str__(self) -> str:
        return f"{self.host}:{self.processes}:{self.id}/{self.boot}"


@cache
def this_machine() -> Machine:
    """Return the machine on which this process runs, as far as it is known."""
    return Machine(host=socket.gethostname(), id=_machine_id(), boot=boot_id()[:18] or _UNKNOWN, processes=_namespace())


def this_process() -> str:
    """Return the name of this process: its machine, its id and its start. A forked child has another."""
    pid = os.getpid()
    return f"{this_machine()}/{pid}/{_started_once(pid)}"


def host_of(owner: str) -> str:
    """Return the host's name in the name of a process."""
    return owner.partition(":")[0]


def process_user() -> str:
    """Return who runs this process, as the system knows it: login, user id and host."""
    uid = os.getuid() if hasattr(os, "getuid") else None  # not on Windows
    return _user(uid)


@cache
def _user(uid: int | None) -> str:
    try:
        login = os.getlogin()  # the one that began the session, also under sudo
    except OSError:  # a service has no session
        login = ""
    name = login or _name_of(uid)
    return f"{name} (uid {_UNKNOWN if uid is None else uid}) on {this_machine().host}"


def _name_of(uid: int | None) -> str:
    try:
        import pwd  # noqa: PLC0415 - not on Windows

        return pwd.getpwuid(uid).pw_name if uid is not None else _UNKNOWN
    except (ImportError, KeyError):
        return _UNKNOWN


def is_dead(owner: str) -> bool:
    """Return True if the process named *owner* has certainly exited.

    That is known of processes of the same machine, boot and namespace. For all others the lease decides.
    """
    found, started = _seen_here(owner), _split(owner)[-1]
    return found == "" or (started != _UNKNOWN and found not in {None, started, _UNKNOWN})


def is_running(owner: str) -> bool:
    """Return True if the process named *owner* certainly runs: on this machine, since then."""
    found = _seen_here(owner)
    return found not in {None, "", _UNKNOWN} and found == _split(owner)[-1]


def _seen_here(owner: str) -> str | None:
    """Return when the process with that number started: `-` if it is hidden, "" if there is none.

    `None` stands for a process of another machine, boot or namespace.
    """
    host, boot, pid, _ = _split(owner)
    here = this_machine()
    if f"{host}/{boot}" != str(here) or here.boot == _UNKNOWN or not pid.isdecimal():
        return None
    number = int(pid)
    if not _alive(number):
        return ""
    # The start of another user's process may be hidden (proc(5), hidepid): then the lease decides. Most claims that a
    # process sees are its own.
    return _started_once(number) if number == os.getpid() else _started(number)


def is_of_this_boot(owner: str) -> bool:
    """Return True if the machine has certainly been running since *owner* wrote: there was no power cut."""
    return _split(owner)[1] == this_machine().boot != _UNKNOWN


def _split(owner: str) -> tuple[str, str, str, str]:
    host, boot, pid, started = (*owner.split("/"), "", "", "", "")[:_PARTS]
    return host, boot, pid, started


def _machine_id() -> str:
    for path in _MACHINE_IDS:
        try:
            machine_id = path.read_text(encoding="ascii", errors="replace").strip()
        except OSError:
            continue
        if machine_id:  # it is confidential (machine-id(5)), and the journal may be passed on
            return hashlib.sha256(b"policenotify " + machine_id.encode()).hexdigest()[:8]
    return _UNKNOWN


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:  # not Linux
        return _UNKNOWN


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # no process has so high a number
        return False
    except PermissionError:
        return True
    return True


@cache
def _started_once(pid: int) -> str:
    return _started(pid)


def _started(pid: int) -> str:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return _UNKNOWN
    # proc_pid_stat(5), counted after the command's closing parenthesis: state, and as field 22 the start.
    return "" if fields[0] in {"Z", "X"} else fields[19]
