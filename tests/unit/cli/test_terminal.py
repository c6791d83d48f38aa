"""Output on a real terminal, on a narrow one, and in a pipe."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from datetime import timedelta

import pytest

from tests.support.installation import Desk, accident
from tests.support.patience import PATIENCE
from tests.support.shell import ACCIDENT, Earlier, Run

_COLOUR = re.compile(r"\x1b\[[0-9;]*(?:3[0-7]|4[0-7]|9[0-7]|38|48)[0-9;]*m")


def on_a_terminal(columns: int, *args: str, **more: str) -> str:
    """Return the output of a process on a terminal of that width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    clean = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    code = "from policenotify.cli import main; main()"
    with subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-c", code, *args], stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True,
        env={**clean, "TERM": "xterm-256color", **more},
    ) as process:  # fmt: skip
        os.close(theirs)
        said = b""
        while True:
            try:
                said += (some := os.read(ours, 65536))
            except OSError:  # EIO: the other end was closed
                break
            if not some:
                break
        process.wait(PATIENCE)
    os.close(ours)
    return said.decode().replace("\r\n", "\n")


def _publish_earlier(desk: Desk) -> None:
    desk.clock = Earlier(timedelta(hours=30))
    desk.publisher().publish(accident(), key="one", actor="desk")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["status", "doctor"])
def test_a_narrow_terminal_breaks_no_word_that_is_not_to_be_copied(desk: Desk, command: str) -> None:
    _publish_earlier(desk)
    said = on_a_terminal(40, "--settings", str(desk.folder / "policenotify.toml"), command)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
    wide = [line for line in plain.splitlines() if len(line) > 40]
    # Only what may be copied (an address, an id, a key) is longer: it is never cut.
    assert all(re.search(r"https?://|·|/policenotify\.toml", line) for line in wide), wide
    assert "OVERDUE" in plain or "WRONG" in plain or "bluesky" in plain


@pytest.mark.slow
def test_a_terminal_shows_what_weighs_most_in_bold_and_no_colour(desk: Desk) -> None:
    _publish_earlier(desk)
    settings = ("--settings", str(desk.folder / "policenotify.toml"))
    said = on_a_terminal(80, *settings, "status")
    assert "\x1b[1m" in said
    for more in ({}, {"NO_COLOR": "1"}):
        assert not _COLOUR.search(on_a_terminal(80, *settings, "status", **more))
    assert "\x1b" not in on_a_terminal(80, *settings, "status", "--json")


@pytest.mark.usefixtures("desk")
def test_a_pipe_gets_plain_text(run: Run) -> None:
    for args in (
        ("publish", *ACCIDENT),
        ("status",),
        ("incidents",),
        ("networks",),
        ("doctor",),
        ("status", "nothing"),
    ):
        ran = run(*args)
        assert "\x1b" not in ran.out + ran.err
