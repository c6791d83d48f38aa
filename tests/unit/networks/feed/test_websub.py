"""WebSub hubs are notified after the feed is written, and fail no post."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policenotify.model.lifecycle import Stage
from policenotify.testing import FakeClock, InMemoryStateStore
from policenotify.testing.servers.http import Answer, Disconnect, FakeServer, NoResponse
from tests.support.patience import ANSWERED, timeout_for
from tests.unit.networks.feed.test_channel import Desk
from tests.unit.networks.feed.test_contract import URL


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    monkeypatch.setattr("policenotify.networks.feed.channel._HUB_SECONDS", ANSWERED)
    with FakeServer(Answer(204)) as server:
        yield server


def desk_with(tmp_path: Path, hub: FakeServer, **options: Any) -> Desk:
    return Desk(tmp_path / "feed", FakeClock(), InMemoryStateStore(), hubs=(f"{hub.url}/publish",), **options)


def topics(hub: FakeServer) -> list[str]:
    return [topic for request in hub.requests for topic in request.form()["hub.url"]]


def test_a_hub_gets_one_call_with_each_file_that_names_it(tmp_path: Path, hub: FakeServer) -> None:
    desk = desk_with(tmp_path, hub)
    desk.send(Stage.OPENING, "Rue Foch fermée")
    assert topics(hub) == [f"{URL}feed.atom", f"{URL}feed.rss", f"{URL}feed.json"]
    [request] = hub.requests
    assert request.form()["hub.mode"] == ["publish"]
    assert (request.method, request.path) == ("POST", "/publish")
    assert f'rel="hub" href="{hub.url}/publish"' in desk.read("feed.atom")


def test_deletions_and_redrawn_files_are_notified_and_unchanged_ones_are_not(tmp_path: Path, hub: FakeServer) -> None:
    desk = desk_with(tmp_path, hub, formats=("atom",))
    ref = desk.send(Stage.OPENING, "Rue Foch fermée")
    desk.channel.delete(ref)
    assert len(topics(hub)) == 2
    desk.channel.rebuild()
    assert len(topics(hub)) == 2


@pytest.mark.parametrize(
    ("fault", "words"),
    [(Answer(400), "(400)"), (Answer.redirect("/"), "(302)"), (NoResponse(), "Timeout"), (Disconnect(), "Connection")],
    ids=["400", "redirect", "silent", "cut"],
)
def test_a_failure_is_a_warning_and_the_post_is_out(
    tmp_path: Path,
    hub: FakeServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    fault: Any,
    words: str,
) -> None:
    monkeypatch.setattr("policenotify.networks.feed.channel._HUB_SECONDS", timeout_for(fault))
    desk = desk_with(tmp_path, hub, formats=("atom",))
    hub.always(fault)
    with caplog.at_level(logging.WARNING, "policenotify"):
        desk.send(Stage.OPENING, "Rue Foch fermée")
        (record,) = [each for each in caplog.records if each.name == "policenotify"]
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("The WebSub hub 127.0.0.1 was not notified (")
    assert words in record.getMessage()
    assert "Rue Foch" in desk.read("feed.atom")


def test_a_hub_that_is_down_does_not_keep_others_from_being_notified(
    tmp_path: Path, hub: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    down = FakeServer()
    with down:
        down.refuse_connections()
        hubs = (down.url, hub.url)
        desk = Desk(tmp_path / "feed", FakeClock(), InMemoryStateStore(), hubs=hubs, formats=("atom",))
        desk.send(Stage.OPENING, "Rue Foch fermée")
        assert topics(hub) == [f"{URL}feed.atom"]
    assert "was not notified" in caplog.text
