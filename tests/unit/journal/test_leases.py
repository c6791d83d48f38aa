"""The owners of leases, and the proof that an owning process has exited."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from policenotify.journal import clock, leases
from policenotify.journal.leases import is_dead, this_machine, this_process


def _parts(**changed: str) -> str:
    host, here, pid, started = this_process().split("/")
    boot, space = here.split(":")
    named = {"host": host, "boot": boot, "space": space, "pid": pid, "started": started, **changed}
    return "{host}/{boot}:{space}/{pid}/{started}".format(**named)


def test_this_process_is_named_and_lives() -> None:
    host, here, pid, started = this_process().split("/")
    assert (host, pid) == (socket.gethostname(), str(os.getpid()))
    assert here.startswith(f"{clock.boot_id()}:")
    assert int(started) > 0
    assert not is_dead(this_process())
    assert not is_dead(f"{this_process()}/one of its slots")
    assert len(this_process()) <= 180  # pn_delivery.owner holds 200, slots included


@pytest.mark.parametrize(
    ("changed", "dead"),
    [
        ({"space": "1"}, False),  # another container
        ({"boot": "00000000"}, False),  # a clone's boot, as well as our own before this one
        ({"host": "renamed", "started": "1"}, True),
        ({"started": "1"}, True),  # its number was given to another
        ({"pid": "x"}, False),
        ({"started": ""}, False),  # it could not read its own start, as when it has too many files open
    ],
)
def test_dead_processes_are_distinguished_from_unknown_ones(changed: dict[str, str], *, dead: bool) -> None:
    assert is_dead(_parts(**changed)) is dead


def test_a_process_of_another_user_that_is_hidden_from_us_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a host with hidepid=2 its number answers, and its folder in /proc is not there."""
    theirs = f"{this_machine()}/{os.getppid()}/1"

    def hidden(_path: Path, *_args: object, **_kwargs: object) -> str:
        raise FileNotFoundError

    def forbidden(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", hidden)
    assert not is_dead(theirs)
    monkeypatch.setattr(os, "kill", forbidden)
    assert not is_dead(theirs)
    monkeypatch.setattr(os, "kill", lambda _pid, _signal: os.getpgid(2**22 + 1))  # no process has that number
    assert is_dead(theirs)


def test_where_the_boot_is_not_known_the_lease_must_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(path: Path, *_args: object, **_kwargs: object) -> str:
        raise FileNotFoundError(path)

    for cached in (leases.this_machine, leases._name_of, clock.boot_id):
        cached.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_text", absent)
        patched.setattr(Path, "stat", absent)
        assert this_process() == f"{socket.gethostname()}//{os.getpid()}/"
        assert not is_dead(this_process())
        assert not is_dead(f"{socket.gethostname()}//{2**22 + 1}/")  # above the kernel's highest number
    for cached in (leases.this_machine, leases._name_of, clock.boot_id):
        cached.cache_clear()
