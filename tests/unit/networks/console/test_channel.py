"""What a console prints, and where."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from policenotify.channel import ChannelConfig
from policenotify.errors import SettingsError, Unavailable
from policenotify.networks.console import Console
from policenotify.networks.registry import configure_channel
from policenotify.testing import FakeClock, recording_publisher
from tests.support.channels import open_channel
from tests.support.installation import accident
from tests.support.network_calls import a_post


def printed(console: Console, **post: Any) -> None:
    console.send(console.prepare(a_post(account="console", **post), ()))


def test_a_post_is_printed_as_a_block_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    printed(open_channel(Console, like="email"), title="Titre", text="Route barrée.\n\nÉvitez le secteur.")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[1:] == ["│ Titre", "│", "│ Route barrée.", "│", "│ Évitez le secteur.", "└─"]
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


def test_its_posts_have_the_limits_of_another_network() -> None:
    like_x = configure_channel("terminal", "console", {"like": "x"}).capabilities
    assert (like_x.budget.limit, like_x.replies, like_x.images, like_x.deletes) == (280, True, 0, False)
    assert configure_channel("terminal", "console", {"like": "email"}).capabilities.title
    assert not configure_channel("terminal", "console", {"like": "sms"}).capabilities.replies
    assert configure_channel("terminal", "console", {}).capabilities.budget.limit == 25_000


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"like": "xx"}, "channels.terminal.like: No installed package offers the network 'xx'"),
        ({"like": "apprise"}, "channels.terminal.like: the limits of 'apprise' depend on an account"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, str], reason: str) -> None:
    with pytest.raises(SettingsError) as caught:
        configure_channel("terminal", "console", options)
    assert reason in str(caught.value)


@pytest.mark.parametrize("network", ["x", "email"])
def test_the_words_are_those_of_the_network_that_it_is_like(network: str) -> None:
    channels: list[str | ChannelConfig] = [network, configure_channel("shown", "console", {"like": network})]
    with recording_publisher(channels, clock=FakeClock()) as desk:
        real, shown = (post.standalone for post in desk.publisher.preview(accident()).posts)
    assert (shown.text, shown.title, shown.html) == (real.text, real.title, real.html)
