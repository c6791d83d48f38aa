"""What traffic partners get of a feed, in every format."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policenotify.formats.feed import Feed
from policenotify.formats.item import Item
from policenotify.formats.roads import is_for_traffic, roads, street_of
from policenotify.formats.traffic import cifs, datex
from policenotify.model.cap import Precision
from policenotify.model.location import Location
from policenotify.model.message import Message
from policenotify.testing import strategies
from tests.support.feed_items import NOW, make_feed, make_item

LINE = {"type": "LineString", "coordinates": [[3.84, 43.59], [3.85, 43.6]]}
PLACE: dict[str, Any] = {
    "commune": "34172", "street": "avenue de Toulouse", "precision": "exact", "polyline": LINE,
}  # fmt: skip
POINT = {**PLACE, "polyline": None, "point": {"latitude": 43.6, "longitude": 3.88}}


def closure(stage: str = "opening", **fields: Any) -> Message:
    lifecycle = {"stage": stage, **({} if stage == "standalone" else {"incident": "2026-0605-17"})}
    if stage == "correction":
        lifecycle["corrects"] = "0" * 26
    usual = {
        "category": "road_closure",
        "headline": "Avenue fermée",
        "location": None if stage in {"end", "cancellation"} else PLACE,
    }
    return Message.model_validate({"lifecycle": lifecycle, **usual, **fields})


def items(*messages: Message) -> list[Item]:
    """Return the items of one thread, ten minutes apart."""
    return [make_item(each, name=str(n), at=NOW + timedelta(minutes=10 * n)) for n, each in enumerate(messages)]


def seen(*of: Item, now: datetime | None = None, points: bool = False) -> list[tuple[datetime, datetime | None]]:
    """Return start and end of what partners get."""
    feed = make_feed(*of, now=now or of[-1].published_at)
    return [(each.starts_at, each.ends_at) for each in roads(feed, points=points)]


def test_a_closure_is_told_until_one_hour_after_its_end() -> None:
    thread = items(closure(), closure("update"), closure("end"))
    ended = thread[-1].published_at

    assert seen(*thread[:2]) == [(NOW, None)]
    assert seen(*thread) == [(NOW, ended)]
    assert seen(*thread, now=ended + timedelta(minutes=59)) == [(NOW, ended)]
    assert seen(*thread, now=ended + timedelta(hours=1)) == []


def test_the_end_is_when_it_was_over_and_never_later_than_it_was_told() -> None:
    over = NOW + timedelta(minutes=3)
    assert seen(*items(closure(), closure("end", starts_at=over))) == [(NOW, over)]
    later = NOW + timedelta(days=1)
    assert seen(*items(closure(), closure("end", starts_at=later))) == [(NOW, NOW + timedelta(minutes=10))]


def test_a_cancelled_closure_ends_at_its_cancellation() -> None:
    planned = NOW + timedelta(days=2)
    cancelled = NOW + timedelta(minutes=10)
    thread = items(closure(starts_at=planned), closure("cancellation", starts_at=NOW - timedelta(days=1)))
    assert seen(*thread) == [(cancelled, cancelled)]  # called off before it began


def test_the_place_is_the_last_one_that_was_told() -> None:
    thread = items(closure(), closure("update", location=None), closure("end", location=POINT))
    feed = make_feed(*thread, now=thread[-1].published_at)
    [situation] = roads(feed, points=False)
    assert situation.place.polyline is not None
    assert situation.thread.version == 3


def test_what_is_taken_down_is_not_told_any_more() -> None:
    opening, update = items(closure(), closure("update", headline="Deux voies"))
    withdrawn = update.withdrawn(NOW + timedelta(minutes=20))
    [situation] = roads(make_feed(opening, withdrawn, now=NOW + timedelta(minutes=21)), points=False)
    assert situation.thread.newest.message.headline == "Avenue fermée"
    assert situation.thread.changed_at == NOW + timedelta(minutes=20)
    assert situation.thread.version == 3
    assert seen(opening.withdrawn(NOW), withdrawn, now=NOW + timedelta(minutes=21)) == []


def test_a_message_that_stands_alone_is_told_until_it_expires() -> None:
    expires = NOW + timedelta(hours=3)
    assert seen(*items(closure("standalone", expires_at=expires))) == [(NOW, expires)]
    assert seen(*items(closure("standalone"))) == []  # nothing would end it


@pytest.mark.parametrize(
    ("fields", "points", "shown"),
    [
        ({}, False, True),
        ({"location": POINT}, True, True),
        ({"location": POINT}, False, False),
        ({"location": {**PLACE, "precision": "street"}}, False, True),
        ({"location": {**PLACE, "precision": "district"}}, False, False),
        ({"location": {**PLACE, "street": None}}, False, False),
        ({"category": "recruitment"}, False, False),
        ({"category": "drone"}, False, False),
        ({"exercise": True}, False, False),
    ],
)
def test_only_a_public_road_with_a_fine_place_is_told(fields: dict[str, Any], *, points: bool, shown: bool) -> None:
    message = closure(**fields)
    assert is_for_traffic(message, message.location, points=points) is shown
    assert len(seen(*items(message), points=points)) == shown


@pytest.mark.parametrize(
    ("place", "street"),
    [
        ({"street": "rue\u202e Foch", "label": "gare"}, "rue Foch"),
        ({"street": "\u202e", "road": {"road": "A9"}}, "A9"),
        ({"label": "devant la gare"}, "devant la gare"),
        ({"between": ("rue A", "rue B")}, "rue A / rue B"),
        ({}, ""),
    ],
)
def test_the_street_is_the_best_name_that_the_place_has(place: dict[str, Any], street: str) -> None:
    assert street_of(Location.model_validate(place)) == street


@given(st.lists(strategies.messages(), min_size=1, max_size=2), st.sampled_from(Precision))
def test_no_format_tells_more_than_the_blurred_place(messages: list[Message], finest: Precision) -> None:
    blurred = [each.model_copy(update={"location": each.location and each.location.blur(finest)}) for each in messages]
    feed: Feed = make_feed(*items(*blurred), now=NOW + timedelta(minutes=31))
    texts = [*(content.decode() for content in cifs(feed).values()), datex(feed).decode()]
    fine = finest in {Precision.EXACT, Precision.STREET}
    for message, original in zip(blurred, messages, strict=True):
        for text in texts:
            ids = {message.incident, message.lifecycle.follows} - {None, "a"}
            assert not any(name in text for name in ids if name)
            if original.location and original.location.polyline and finest is not Precision.EXACT:
                for longitude, latitude in original.location.polyline.coordinates:
                    assert f"{latitude:.6f} {longitude:.6f}" not in text
    if not fine or any(each.exercise for each in messages):
        assert all("</incident>" not in text and "<sit:situation " not in text for text in texts)
    assert not any("POLICE_" in text for text in texts)
