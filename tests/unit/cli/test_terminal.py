"""Output on a terminal and in a pipe, and words from elsewhere."""

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

from policenotify.cli.output import plain
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
def test_a_terminal_shows_what_weighs_most_in_bold_and_no_colour(desk: Desk) -> None:
    _publish_earlier(desk)
    settings = ("--settings", str(desk.folder / "policenotify.toml"))
    said = on_a_terminal(80, *settings, "status")
    assert "\x1b[1m" in said
    assert not _COLOUR.search(said)
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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Accident\x1b[2J", "Accident\ufffd[2J"),
        ("Accident\x9b1m", "Accident\ufffd1m"),
        ("Accident \u202egpj.exe\u2066", "Accident gpj.exe"),
        ("Acci\u200bdent\U000e0041\ufeff", "Accident"),
        ("Route barrée\n\n  à « Évian » 👮\u200d♀️\ufe0f", "Route barrée\n\n  à « Évian » 👮\u200d♀️"),
        ("Route barrée", "Route barrée"),
    ],
)
def test_no_text_moves_the_cursor_or_hides_a_letter(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.usefixtures("pigeon_network")
def test_an_unverified_acceptance_is_reported_as_one(run: Run, desk: Desk) -> None:
    desk.add_settings('\n[channels.loft]\nnetwork = "pigeon"\nloft = "Arnel"\n')
    said = run("publish", *ACCIDENT)
    assert (said.code, said.err) == (0, "")
    assert "✔ loft (fr): posted Accepted by the gateway, not verified." in said.words
    shown = run("status")
    assert shown.out.count("    Accepted by the gateway, not verified.\n") == 1
    [one] = run("status", "2026-4711", "--json").document["publications"]
    notes = {receipt["channel"]: receipt["note"] for receipt in one["receipts"]}
    assert notes == {"bluesky": "", "presse": "", "loft": "Accepted by the gateway, not verified."}
    assert "is Arnel on pigeon; what it posts is accepted by the gateway, not verified" in run("doctor").words
    desk.change_settings("handle =", "handel =")
    last = "Last publications:"  # one channel that is set wrongly hides nothing of the others
    assert run("status").out.partition(last)[2] == shown.out.partition(last)[2] != ""
