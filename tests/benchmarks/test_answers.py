"""A server leaks no threads and sockets, on any network."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from policenotify.errors import ChannelError
from tests.support.hostile_server import (
    CALLS,
    LONG_REPLY,
    NO_ANSWER,
    THREAD,
    hostile_mail_server,
    hostile_server,
    mail,
    mail_list,
    repeated,
    whole,
)

pytestmark = pytest.mark.benchmark


@pytest.mark.parametrize("network", [*CALLS, "email", "a list of mails"])
def test_a_hundred_calls_leak_no_thread_and_no_socket(network: str) -> None:
    def count() -> tuple[int, int]:
        ours = [each for each in threading.enumerate() if each.name != THREAD]
        return len(ours), len(list(Path("/proc/self/fd").iterdir()))

    call = {**CALLS, "email": mail, "a list of mails": mail_list}[network]
    mails = call in {mail, mail_list}
    with ExitStack() as servers:
        ports = [
            servers.enter_context(hostile_server(answer, reads=not mails))
            for answer in (LONG_REPLY if mails else whole(b"oh"), whole(b"{}"), NO_ANSWER)
        ]
        if mails:
            ports[:2] = (
                servers.enter_context(hostile_mail_server(stage, repeated(piece=b"", pause=False, times=0)))
                for stage in ("content", "none")
            )
        for port in ports:
            with suppress(ChannelError):
                call(port, 0.1)
        before = count()
        for number in range(100):
            with suppress(ChannelError):
                call(ports[{0: 2, 10: 0}.get(number % 20, 1)], 0.1)  # most are answered, which is quick
    for _ in range(100):
        if count() <= before:
            break
        time.sleep(0.05)
    print(f"\nthreads and open files: {before} before, {count()} after")
    assert count() <= before
