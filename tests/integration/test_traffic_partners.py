"""A closure from publish() to the files of traffic partners, and what preview() says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from policenotify.channel import ChannelConfig
from policenotify.model.message import Message
from policenotify.networks.registry import configure_channel
from policenotify.render.locales import LOCALES
from tests.support.installation import Desk

LINE = {"type": "LineString", "coordinates": [[3.8772, 43.6109], [3.879, 43.6121]]}


def _feed(folder: Path, **options: Any) -> ChannelConfig:
    folder.mkdir(exist_ok=True)
    given = {"url": "https://alertes.police.example/", "folder": str(folder), "publisher": "Police", **options}
    return configure_channel("flux", "feed", given, locales=LOCALES)


def _closure(**place: object) -> Message:
    return Message.model_validate(
        {
            "category": "road_closure",
            "headline": "Avenue de Toulouse fermée",
            "instruction": "Évitez le secteur.",
            "starts_at": "2026-06-05T17:42:00+02:00",
            "lifecycle": {"stage": "opening", "incident": "2026-17"},
            "location": {"commune": "34172", "street": "avenue de Toulouse", **place},
        }
    )


def test_a_closure_reaches_traffic_partners_and_ends_there(desk: Desk, tmp_path: Path) -> None:
    publisher = desk.publisher([_feed(tmp_path / "feed", formats=["cifs", "datex"])])
    opening = publisher.publish(_closure(polyline=LINE), key="open", actor="desk")
    assert opening.ok
    [told] = json.loads((tmp_path / "feed" / "cifs.json").read_text())["incidents"]
    assert told["incident"]["type"] == "ROAD_CLOSED"
    assert "endtime" not in told["incident"]
    assert b"2026-17" not in (tmp_path / "feed" / "datex.xml").read_bytes()

    publisher.publish(opening.end("Avenue rouverte", instruction="Circulez."), key="end", actor="desk")
    [told_again] = json.loads((tmp_path / "feed" / "cifs.json").read_text())["incidents"]
    assert told_again["incident"]["id"] == told["incident"]["id"]
    assert "endtime" in told_again["incident"]
    assert b">closed<" in (tmp_path / "feed" / "datex.xml").read_bytes()


def test_preview_says_why_a_closure_does_not_reach_them(desk: Desk, tmp_path: Path) -> None:
    def found(message: Message, *formats: str) -> bool:
        channel = _feed(tmp_path / "feed", formats=list(formats or ("atom",)))
        return "PN117" in {finding.code for finding in desk.publisher([channel]).preview(message).findings}

    assert found(_closure(), "cifs")
    assert found(_closure(point={"latitude": 43.61, "longitude": 3.877}), "cifs", "datex")
    assert not found(_closure(point={"latitude": 43.61, "longitude": 3.877}), "datex")
    assert not found(_closure(polyline=LINE), "cifs", "datex")
    assert not found(_closure())  # no feed has such a format
