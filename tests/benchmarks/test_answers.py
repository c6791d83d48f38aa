"""A server can neither hold a call, nor fill the memory, nor leak threads and sockets, on any network."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from policenotify.errors import ChannelError
from tests.support.hostile_server import (
    CALLS,
    LONG,
    LONG_REPLY,
    SLOW,
    THREAD,
    Answer,
    hostile_mail_server,
    hostile_server,
    mail,
    mail_list,
    repeated,
    whole,
)

pytestmark = pytest.mark.benchmark

TIMEOUT = 1.0
MOST = 64 * 1024  # kB

# What a child process measures: its peak of memory during the call, beyond what it had before.
CHILD = """
import sys
from contextlib import suppress
from pathlib import Path
from policenotify.errors import ChannelError
from tests.support.hostile_server import CALLS

def read(name):
    rows = Path("/proc/self/status").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith(name))

call = CALLS[sys.argv[1]]
for port in (int(sys.argv[2]), int(sys.argv[3])):
    Path("/proc/self/clear_refs").write_text("5")  # the peak is the present size
    before = read("VmRSS")
    with suppress(ChannelError):
        call(port, 20)
    used = read("VmHWM") - before
print(used)
"""


def seconds(network: str, answer: Answer) -> float:
    with hostile_server(answer) as port:
        begun = time.monotonic()
        with suppress(ChannelError):
            CALLS[network](port, TIMEOUT)
        return time.monotonic() - begun


@pytest.mark.parametrize("network", CALLS)
def test_no_call_lasts_longer_than_its_deadline_and_a_second(network: str) -> None:
    seconds(network, whole(b"{}"))  # the libraries are loaded
    took = {name: seconds(network, answer) for name, answer in SLOW.items()}
    limit = 2 * TIMEOUT
    print(f"\n{network}: {max(took.values()):.2f} s at the most, with a deadline of {limit:.0f} s")
    assert {name: each for name, each in took.items() if each > limit + 1} == {}


@pytest.mark.parametrize("network", CALLS)
def test_an_answer_takes_at_most_64_mib(network: str) -> None:
    used = {name: _kilobytes(network, answer) for name, answer in LONG.items()}
    print(f"\n{network}: {max(used.values()) / 1024:.0f} MiB at the most")
    assert {name: each for name, each in used.items() if each > MOST} == {}


def _kilobytes(network: str, answer: Answer) -> int:
    with hostile_server(whole(b"{}")) as usual, hostile_server(answer) as port:
        done = subprocess.run(  # noqa: S603 - our own code
            [sys.executable, "-c", CHILD, network, str(usual), str(port)], check=True, capture_output=True, text=True
        )
    return int(done.stdout)


@pytest.mark.parametrize("network", [*CALLS, "email", "a list of mails"])
def test_a_hundred_calls_leak_no_thread_and_no_socket(network: str) -> None:
    def count() -> tuple[int, int]:
        ours = [each for each in threading.enumerate() if each.name != THREAD]
        return len(ours), len(list(Path("/proc/self/fd").iterdir()))

    call = {**CALLS, "email": mail, "a list of mails": mail_list}[network]
    mails = call in {mail, mail_list}
    long = LONG_REPLY if mails else LONG["a body without an end"]
    with ExitStack() as servers:
        ports = [
            servers.enter_context(hostile_server(answer, reads=not mails))
            for answer in (long, whole(b"{}"), SLOW["no answer"])
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
