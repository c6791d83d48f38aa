"""A server can neither hold a call, nor fill the memory, nor leak threads and sockets, on any network."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from policenotify.errors import ChannelError
from tests.support.hostile_server import (
    CALLS,
    LONG,
    LONG_MAIL,
    SLOW,
    SLOW_MAIL,
    THREAD,
    Answer,
    hostile_server,
    mail,
    whole,
)

pytestmark = pytest.mark.benchmark

TIMEOUT = 1.0
OPENING = 4  # exchanges in which a session with a mail server is opened
MOST = 64 * 1024  # kB
CASES = {**CALLS, "email": mail}

# What a child process measures: its peak of memory during the call, beyond what it had before.
CHILD = """
import sys
from contextlib import suppress
from pathlib import Path
from policenotify.errors import ChannelError
from tests.support.hostile_server import CALLS, mail

def read(name):
    rows = Path("/proc/self/status").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith(name))

call = {**CALLS, "email": mail}[sys.argv[1]]
for port in (int(sys.argv[2]), int(sys.argv[3])):
    Path("/proc/self/clear_refs").write_text("5")  # the peak is the present size
    before = read("VmRSS")
    with suppress(ChannelError):
        call(port, 20)
    used = read("VmHWM") - before
print(used)
"""


def seconds(network: str, answer: Answer) -> float:
    with hostile_server(answer, reads=network != "email") as port:
        begun = time.monotonic()
        with suppress(ChannelError):
            CASES[network](port, TIMEOUT)
        return time.monotonic() - begun


@pytest.mark.parametrize("network", CASES)
def test_no_call_lasts_longer_than_its_deadline_and_a_second(network: str) -> None:
    seconds(network, whole(b"{}"))  # the libraries are loaded
    answers = SLOW_MAIL if network == "email" else SLOW
    took = {name: seconds(network, answer) for name, answer in answers.items()}
    limit = OPENING * TIMEOUT if network == "email" else 2 * TIMEOUT
    print(f"\n{network}: {max(took.values()):.2f} s at the most, with a deadline of {limit:.0f} s")
    assert {name: each for name, each in took.items() if each > limit + 1} == {}


@pytest.mark.parametrize("network", CASES)
def test_an_answer_takes_at_most_64_mib(network: str) -> None:
    answers = LONG_MAIL if network == "email" else LONG
    used = {name: _kilobytes(network, answer) for name, answer in answers.items()}
    print(f"\n{network}: {max(used.values()) / 1024:.0f} MiB at the most")
    assert {name: each for name, each in used.items() if each > MOST} == {}


def _kilobytes(network: str, answer: Answer) -> int:
    reads = network != "email"
    with hostile_server(whole(b"{}"), reads=reads) as usual, hostile_server(answer, reads=reads) as port:
        done = subprocess.run(  # noqa: S603 - our own code
            [sys.executable, "-c", CHILD, network, str(usual), str(port)], check=True, capture_output=True, text=True
        )
    return int(done.stdout)


def test_a_thousand_calls_leak_no_thread_and_no_socket() -> None:
    def count() -> tuple[int, int]:
        ours = [each for each in threading.enumerate() if each.name != THREAD]
        return len(ours), len(list(Path("/proc/self/fd").iterdir()))

    seconds("mastodon", whole(b"{}"))
    before = count()
    with hostile_server(LONG["a body without an end"]) as long, hostile_server(SLOW["no answer"]) as slow:
        for number in range(1_000):
            with suppress(ChannelError):
                CASES["mastodon"](slow if number % 20 == 0 else long, 0.1)
    for _ in range(100):
        if count() <= before:
            break
        time.sleep(0.05)
    print(f"\nthreads and open files: {before} before, {count()} after")
    assert count() <= before
