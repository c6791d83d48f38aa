"""What `publish` accepts can be read again, whatever its place and precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from policenotify.errors import InvalidTransition, MessageRejected, MessageTooLong, SettingsError
from policenotify.model.cap import Precision
from policenotify.model.location import Location
from policenotify.model.message import Message, read_stored
from policenotify.publishing.defaults import fill_defaults
from policenotify.render.locales import PROFILES
from policenotify.testing.publisher import Recording, recording_publisher
from policenotify.testing.strategies import locations, messages

ACTOR = "service:desk"
POSITIONS = st.fixed_dictionaries(
    {"latitude": st.floats(-90, 90).map(lambda value: round(value, 6)), "longitude": st.floats(-180, 180)}
)


@given(messages(), st.sampled_from(Precision))
def test_a_message_with_its_defaults_reads_back_equal(message: Message, precision: Precision) -> None:
    profile = PROFILES[message.category].model_copy(update={"precision": precision})
    filled = fill_defaults(message, profile, sender="Police nationale", incident=message.incident)
    assert read_stored(filled.model_dump_json(exclude_none=True)) == filled


@given(POSITIONS, st.sampled_from(Precision))
def test_a_position_anywhere_reads_back_equal(point: dict[str, float], precision: Precision) -> None:
    """A cell of the grid at the edge of a territory too, which would be refused as swapped if it was typed."""
    with suppress(ValidationError):
        place = Location.model_validate({"point": point}).blur(precision)
        message = Message(category="fire", headline="Incendie", location=place)
        assert read_stored(message.model_dump_json(exclude_none=True)) == message


@settings(deadline=None)
@given(st.lists(st.tuples(messages(images=(), exercise=False), locations() | st.none()), min_size=1, max_size=3))
def test_what_is_published_comes_back_from_the_journal_equal(drawn: list[tuple[Message, Location | None]]) -> None:
    with recording_publisher(["mastodon"]) as desk:
        for number, (message, location) in enumerate(drawn):
            with suppress(InvalidTransition, MessageRejected, MessageTooLong, SettingsError):
                typed = message.changed(location=location)
                known = desk.publisher.publish(typed, key=str(number), actor=ACTOR, urgent="essai de tous les messages")
                again = desk.publisher.operations.publication(known.id)
                assert again is not None
                assert again.message == known.message


@pytest.fixture(name="desk")
def _desk() -> Iterator[Recording]:
    with recording_publisher(["x"]) as recording:
        yield recording


@pytest.mark.parametrize(
    ("code", "meant"),
    [("20000", "2A004 Ajaccio"), ("20090", "2A004 Ajaccio"), ("00001", ""), ("96001", ""), ("99100", "")],
)
def test_a_code_that_no_department_has_is_refused_with_what_it_may_mean(code: str, meant: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Location(commune=code)
    (error,) = caught.value.errors()
    assert f"commune: {code} is not" in error["msg"]
    assert meant in error["msg"]


def test_a_postcode_that_looks_like_a_code_is_answered_with_its_communes(desk: Recording) -> None:
    message = Message.model_validate(
        {
            "category": "road_safety",
            "headline": "Contrôles",
            "instruction": "Ralentissez.",
            "location": {"commune": "34000"},
        }
    )
    (finding,) = [each for each in desk.publisher.preview(message).findings if each.code == "PN102"]
    assert "34172 Montpellier" in str(finding.remedy)
