"""The fake networks to develop against: their modes, their settings, and what their readers see."""

from __future__ import annotations

import re
import time
import tomllib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from policenotify import Publisher, open_publisher
from policenotify.cli.report.builder import draw_networks
from policenotify.cli.report.file import dev_html
from policenotify.cli.report.source import ReaderPost
from policenotify.errors import SettingsError
from policenotify.testing import DevNetworks
from policenotify.testing.dev import FAKE_NETWORKS, MODES, PHONES, Mode
from tests.support.installation import accident
from tests.support.patience import PATIENCE

FEW = ("sms", "mail", "webhook")
"""Those whose libraries load fast."""


@pytest.fixture
def networks(tmp_path: Path) -> Iterator[DevNetworks]:
    with DevNetworks(channels=FEW) as running:
        running.install(tmp_path / "desk")
        yield running


@pytest.fixture
def publisher(networks: DevNetworks) -> Iterator[Publisher]:
    with open_publisher(networks.settings) as opened:
        yield opened


def publish(publisher: Publisher, key: str = "a", *, seconds: float = 60.0) -> dict[str, str]:
    """Publish an opening, and return the outcome of each channel after so long."""
    lifecycle = accident().lifecycle.model_copy(update={"incident": key})
    wait = timedelta(seconds=seconds)
    publication = publisher.publish(accident(lifecycle=lifecycle), key=key, actor="dispatch", wait=wait)
    return {receipt.channel: str(receipt.outcome) for receipt in publication.receipts}


def drain_until(publisher: Publisher, happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE  # seconds, on a busy machine
    while not happened() and time.monotonic() < deadline:
        publisher.drain(timedelta(seconds=0.3))


@pytest.mark.slow
def test_readers_see_a_post_on_every_network(tmp_path: Path) -> None:
    with DevNetworks() as networks, open_publisher(networks.install(tmp_path / "desk")) as publisher:
        outcomes = publish(publisher)
        assert outcomes == dict.fromkeys(FAKE_NETWORKS, "posted")
        for network in networks:
            [post] = network.posts
            assert "Montpellier" in post.title + post.text, network.channel
            assert "avenue de Toulouse" in post.title + post.text, network.channel


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "outcome"), [("refusing", {"refused", "waiting"}), ("forgetful", {"posted"})])
def test_no_network_shows_what_it_refuses_or_forgets(tmp_path: Path, mode: Mode, outcome: set[str]) -> None:
    channels = [name for name in FAKE_NETWORKS if name != "mastodon"]  # which is asked for the post
    with DevNetworks(channels=channels) as networks, open_publisher(networks.install(tmp_path / "desk")) as publisher:
        for network in networks:
            network.mode = mode
        assert set(publish(publisher).values()) <= outcome
        assert not any(network.posts for network in networks)


def test_a_network_that_is_down_gets_the_post_when_it_is_back(networks: DevNetworks, publisher: Publisher) -> None:
    networks["webhook"].mode = "down"
    port = networks["webhook"].server.port
    publish(publisher, seconds=0)
    drain_until(publisher, lambda: bool(networks["sms"].posts and networks["mail"].posts))
    assert networks["webhook"].posts == []
    networks["webhook"].mode = "normal"
    assert networks["webhook"].server.port == port
    drain_until(publisher, lambda: bool(networks["webhook"].posts))
    [post] = networks["webhook"].posts
    assert "Montpellier" in post.title


def test_each_mode_can_follow_each_other_one(networks: DevNetworks) -> None:
    for mode in (*MODES, *reversed(MODES), "down", "down", "normal"):
        for network in networks:
            network.mode = mode
    with pytest.raises(ValueError, match="'asleep' is not a mode: normal, slow"):
        networks["sms"].mode = "asleep"  # type: ignore[assignment]  # this is the test
    with pytest.raises(KeyError, match="sns"):
        networks["sns"].mode = "down"


def test_the_settings_are_private_and_stay(networks: DevNetworks, tmp_path: Path) -> None:
    file = tmp_path / "desk" / "policenotify.toml"
    assert networks.settings == file
    assert file.stat().st_mode & 0o077 == 0
    settings = tomllib.loads(file.read_text(encoding="utf-8"))
    assert list(settings["channels"]) == ["sms", "mail", "webhook"]
    assert settings["channels"]["sms"]["recipients"] == list(PHONES)
    assert networks.install(tmp_path / "desk") == file
    file.write_text("# mine", encoding="utf-8")
    with pytest.raises(SettingsError, match="other settings"):
        networks.install(tmp_path / "desk")
    assert file.read_text(encoding="utf-8") == "# mine"


def test_the_ports_follow_one_another_and_one_in_use_starts_nothing(networks: DevNetworks) -> None:
    in_use = networks["sms"].server.port
    with pytest.raises(OSError, match="in use"), DevNetworks(port_base=in_use - 1, channels=FEW[:1]):
        pass
    networks.close()
    with DevNetworks(port_base=in_use - 1, channels=FEW[:1]) as again:
        assert again["sms"].server.port == in_use


def test_a_reply_stands_below_the_post_that_it_answers_on_the_page() -> None:
    with DevNetworks(channels=["webhook"]) as networks:
        config = networks["webhook"].config
    look = config.model_copy(update={"network": "bluesky"})
    said = [("1", None), ("2", None), ("3", "1"), ("4", "2"), ("5", "3"), ("6", "deleted")]
    posts = [ReaderPost(id=number, text=f"post {number}", parent=parent) for number, parent in said]
    devices = draw_networks([(look, posts)], "Police nationale")
    page = dev_html(devices, modes={}, reload=0)
    assert re.findall(r"post (\d)", page) == ["1", "3", "5", "2", "4", "6"]
    joined = re.findall(r'<li class="item tone-info( joined)?">', page)
    assert [bool(one) for one in joined] == [True, True, False, True, False, False]
