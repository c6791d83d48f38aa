"""An incident's row states what holds now, and lists, reminders and the guard of ends read that row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from policenotify.errors import InvalidTransition, MessageRejected, NotErasable, Refused
from policenotify.journal.database import schema
from policenotify.journal.incidents import state_columns
from policenotify.model.history import History, HistoryEntry
from policenotify.model.location import Location, RoadRef
from policenotify.model.message import Message
from policenotify.publishing.reminders import ReminderPolicy, raise_due
from policenotify.testing.fakes import FakeClock
from policenotify.testing.publisher import Recording, recording_publisher

ACTOR = "service:desk"
AT = datetime(2026, 6, 5, 17, 42, tzinfo=UTC)
LODEVE, TOULOUSE = "avenue de Lodève", "avenue de Toulouse"


def _message(stage: str, incident: str, street: str | None = LODEVE, **fields: Any) -> Message:
    lifecycle = {"stage": stage, "incident": incident}
    for name in ("corrects", "reopens"):
        if value := fields.pop(name, None):
            lifecycle[name] = value
    headline = fields.pop("headline", "Fin de l'intervention" if stage == "end" else "Accident de la circulation")
    return Message.model_validate(
        {
            "category": "traffic_accident",
            "location": {"commune": "34172", "street": street} if street else None,
            "headline": headline,
            "instruction": "" if stage in {"end", "cancellation"} else "Évitez le secteur.",
            "lifecycle": lifecycle,
            **fields,
        }
    )


@pytest.fixture
def desk() -> Iterator[Recording]:
    """A desk on X alone."""
    with recording_publisher(["x"], clock=FakeClock()) as recording:
        yield recording


def _publish(desk: Recording, message: Message, key: str) -> str:
    return desk.publisher.publish(message, key=key, actor=ACTOR).id


def test_a_corrected_street_is_what_lists_and_the_guard_of_ends_know(desk: Recording) -> None:
    opening = _publish(desk, _message("opening", "c1"), "1")
    _publish(desk, _message("correction", "c1", TOULOUSE, corrects=opening), "2")
    (line,) = desk.publisher.operations.incidents()
    assert line.place == f"Montpellier, {TOULOUSE}"
    assert line.channels == ("x",)

    def codes(street: str, incident: str) -> set[str]:
        _publish(desk, _message("opening", incident, "place Jean-Jaurès"), f"opening of {incident}")
        preview = desk.publisher.preview(_message("end", incident, street))
        return {finding.code for finding in preview.findings}

    assert "PN507" in codes(TOULOUSE, "c2")  # c1 is open there
    assert "PN507" not in codes(LODEVE, "c3")  # nothing is open there


@pytest.mark.parametrize("stage", ["update", "end", "correction"])
def test_what_began_on_one_channel_goes_on_there(stage: str) -> None:
    """Not to the public, without routes as with routes to all, also if nothing was posted."""
    with recording_publisher(["x", "mastodon"], clock=FakeClock()) as desk:
        publisher = desk.publisher
        desk.fail_next("mastodon", Refused("too strange", remedy=""))
        opening = publisher.publish(_message("opening", "c1"), key="1", actor=ACTOR, to=["mastodon"])
        corrects = {"corrects": opening.id} if stage == "correction" else {}
        message = _message(stage, "c1", **corrects)
        preview = publisher.preview(message)
        assert {post.target.channel for post in preview.posts} == {"mastodon"}
        assert "nothing but 'to' adds others" in str(preview.course)
        added = publisher.preview(message, to=["x"])
        assert {post.target.channel for post in added.posts} == {"x", "mastodon"}
        assert "'to' adds: x." in str(added.course)
        publisher.publish(message, key="2", actor=ACTOR)
        assert not desk.on("x")
        assert "mastodon" in str(publisher.preview(_message("opening", "c2"), to=["mastodon"]).course)
        assert not publisher.preview(_message("opening", "c2")).course


def test_an_overdue_incident_is_named_by_what_holds(desk: Recording) -> None:
    opening = _publish(desk, _message("opening", "c1"), "1")
    _publish(desk, _message("correction", "c1", TOULOUSE, corrects=opening), "2")
    desk.clock.pass_by(2 * 24 * 3600)
    alarms = " ".join(str(alarm.text) for alarm in desk.publisher.operations.status().alarms)
    (reminder,) = raise_due(desk.publisher.journal, ReminderPolicy())
    assert reminder.place == f"Montpellier, {TOULOUSE}"
    assert TOULOUSE in alarms
    assert LODEVE not in alarms


def test_an_update_without_a_place_leaves_the_place() -> None:
    messages = (
        _message("opening", "c1"),
        _message("update", "c1", None, headline="Deux blessés légers", severity="Severe"),
    )
    entries = tuple(
        HistoryEntry(publication=f"p{number}", sequence=number, message=message, at=AT)
        for number, message in enumerate(messages, 1)
    )
    state = History(incident="c1", entries=entries).state
    assert state is not None
    assert (state.headline, state.severity, state.place) == ("Deux blessés légers", "Severe", LODEVE)


@pytest.mark.parametrize(
    ("location", "place"),
    [
        (Location(commune="34129", road=RoadRef(road="A9", exit="sortie 31")), "Lattes, A9 sortie 31"),
        (
            Location(department="34", road=RoadRef(road="A75", direction="Béziers → Clermont")),
            "Hérault, A75 Béziers → Clermont",
        ),
        (Location(commune="34172", line="ligne 1 du tramway"), "Montpellier, ligne 1 du tramway"),
        (
            Location(commune="34172", street="rue Foch", between=("rue A", "rue B")),
            "Montpellier, rue Foch · rue A – rue B",
        ),
    ],
)
def test_a_place_is_a_road_or_a_line_too(desk: Recording, location: Location, place: str) -> None:
    _publish(desk, _message("opening", "c1", location=location), "1")
    (line,) = desk.publisher.operations.incidents()
    assert line.place.startswith(place)


def test_a_place_without_a_name_is_a_position() -> None:
    ring = [[3.8, 43.6], [3.9, 43.6], [3.9, 43.7], [3.8, 43.6]]
    area = Location.model_validate({"area": {"type": "Polygon", "coordinates": [ring]}})
    line = Location.model_validate({"polyline": {"coordinates": [[3.8, 43.6], [3.9, 43.7]]}})
    point = Location.model_validate({"point": {"latitude": 43.6, "longitude": 3.85}})
    assert [str(place) for place in (area, line, point, Location())] == [
        "43.625, 3.850",
        "43.650, 3.850",
        "43.600, 3.850",
        "",
    ]


STEPS = (
    "opening",
    "update",
    "correction",
    "correction of the newest",
    "withdraw",
    "end",
    "reopen",
    "cancellation",
    "erase",
    "purge",
)


def _step(desk: Recording, step: str, known: list[str], street: str, number: int) -> None:
    publisher, key = desk.publisher, f"step {number}"
    last = known[-1] if known else "01JZ0000000000000000000001"
    if step == "withdraw":
        publisher.withdraw(last, actor=ACTOR, reason="la photo montre une victime")
    elif step == "erase":
        publisher.journal.retention.erase("c1", ACTOR, "demande d'un avocat")
    elif step == "purge":
        publisher.journal.retention.purge(publisher.journal.now() + timedelta(days=1), ACTOR)
    else:
        stage = {
            "correction of the newest": "correction",
            "reopen": "correction",
            "update without place": "update",
        }.get(step, step)
        of = {"correction": known[0] if known else last, "correction of the newest": last, "reopen": last}.get(step)
        more: dict[str, object] = {"corrects": of} if of else {}
        if step == "reopen":
            more["reopens"] = True
        message = _message(stage, "c1", street, headline=f"Accident numéro {number}", **more)
        known.append(publisher.publish(message, key=key, actor=ACTOR, draft=None).id)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from([LODEVE, TOULOUSE])), min_size=1, max_size=8))
def test_the_row_is_the_fold_over_the_history_after_each_step(steps: list[tuple[str, str]]) -> None:
    refusals = (InvalidTransition, MessageRejected, NotErasable)
    with recording_publisher(["x"], clock=FakeClock()) as desk:
        known: list[str] = []
        numbers = count()
        for step, street in [("opening", LODEVE), *steps]:
            with suppress(*refusals):
                _step(desk, step, known, street, next(numbers))
            journal = desk.publisher.journal
            state = journal.incidents.history("c1").state
            with journal.read() as connection:
                row = connection.execute(select(schema.incident)).mappings().one()
            assert state is not None
            columns = state_columns(state)
            assert {name: row[name] for name in columns} == columns
