"""An incident in a feed, from `publish` to its end: receipts, permalinks and amendments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from policenotify.model.cap import Precision
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.model.location import Location, Point
from policenotify.networks.registry import configure_channel
from policenotify.publishing.publisher import Publisher
from policenotify.render.locales import LOCALES
from tests.support.installation import INCIDENT, Desk, accident
from tests.support.patience import PATIENCE

URL = "https://alertes.police.example/"


@pytest.fixture
def publisher(desk: Desk) -> Publisher:
    (desk.folder / "feed").mkdir()
    options: dict[str, object] = {"url": URL, "publisher": "Police", "folder": str(desk.folder / "feed")}
    return desk.publisher([configure_channel("feed", "feed", options, locales=LOCALES)])


def entries(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "feed.json").read_bytes())["items"]
    return found


def titles(folder: Path) -> list[str]:
    return [entry["title"] for entry in entries(folder)]


def texts(folder: Path) -> list[str]:
    return [entry["content_text"] for entry in entries(folder)]


def test_an_incident_is_opened_updated_corrected_and_ended(desk: Desk, publisher: Publisher) -> None:
    folder, opening = desk.folder / "feed", accident()
    first = publisher.publish(opening, key="1", actor="claire", wait=PATIENCE)
    receipt = first.receipts[0]
    assert receipt.outcome is Outcome.POSTED
    assert receipt.ref is not None
    page = folder / str(receipt.ref.url).removeprefix(URL)
    assert opening.headline in page.read_text("utf-8")
    follow: dict[str, Any] = {"incident": INCIDENT}
    publisher.publish(
        opening.followed_by(Stage.CORRECTION, headline="Une seule voie fermée", corrects=first.id, **follow),
        key="2",
        actor="claire",
        wait=PATIENCE,
    )
    assert [text.startswith("Rectifié à ") for text in texts(folder)] == [True, False]
    titles_before = set(titles(folder))
    publisher.publish(
        opening.followed_by(Stage.UPDATE, headline="Deux voies fermées", **follow),
        key="3",
        actor="claire",
        wait=PATIENCE,
    )
    last = publisher.publish(
        opening.followed_by(Stage.END, headline="Circulation rétablie", **follow),
        key="4",
        actor="claire",
        wait=PATIENCE,
    )

    assert [text.startswith("Terminé à ") for text in texts(folder)] == [True, True, True, False]
    assert titles_before < set(titles(folder))
    assert "Circulation rétablie" in titles(folder)[-1]
    assert last.receipts[0].outcome is Outcome.POSTED
    assert "Terminé" in page.read_text("utf-8")
    whole = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert INCIDENT.encode() not in whole


def test_no_file_has_a_point_finer_than_its_category(desk: Desk, publisher: Publisher) -> None:
    exact = Location(
        commune="34172",
        street="12 avenue de Toulouse",
        point=Point(latitude=43.598712, longitude=3.869123),
        precision=Precision.STREET,
    )
    publisher.publish(accident(location=exact), key="1", actor="claire", wait=PATIENCE)

    folder = desk.folder / "feed"
    whole = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    for detail in (b"43.5987", b"3.8691", b"12 avenue"):
        assert detail not in whole
    assert b"43.598" in whole
