"""What a console prints, and where."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from policenotify.errors import Unavailable
from policenotify.networks.console import Console
from tests.support.channels import open_channel
from tests.support.network_calls import a_post


def printed(console: Console, **post: Any) -> None:
    console.send(console.prepare(a_post(account="console", **post), ()))


def test_a_post_is_printed_as_a_block_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    printed(open_channel(Console), text="Route barrée.\n\nÉvitez le secteur.")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[1:] == ["│ Route barrée.", "│", "│ Évitez le secteur.", "└─"]
    assert err.startswith("┌─ console · ")


def test_no_post_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    printed(open_channel(Console), text="\x1b[2JRoute\x9b1m barrée\r.")
    assert "│ [2JRoute1m barrée.\n" in capsys.readouterr().err


def test_a_terminal_without_unicode_gets_what_it_can_show(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, encoding="ascii"))
    printed(open_channel(Console), text="Route barrée.")
    assert b"? Route barr?e.\n" in raw.getvalue()


@pytest.mark.parametrize("stream", [None, "closed"])
def test_a_process_without_a_terminal_prints_later(monkeypatch: pytest.MonkeyPatch, stream: str | None) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed if stream else None)
    console = open_channel(Console)
    with pytest.raises(Unavailable, match="Nothing was printed"):
        printed(console, text="Route barrée.")
    with pytest.raises(Unavailable):
        console.whoami()


def test_doctor_learns_that_it_is_for_development() -> None:
    assert "For development" in str(open_channel(Console, label="terminal").whoami().note)
    assert open_channel(Console, label="terminal").account == "terminal"
