"""Values of another type, as a caller without a type checker passes them, are refused before anything is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policenotify.publishing.publisher import Publisher
from policenotify.testing import recording_publisher
from tests.support.installation import accident


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda desk, _: desk.publish({"category": "fire"}, key="a", actor="x"), "message: is of the type dict"),
        (lambda desk, _: desk.preview(None), "message: is of the type NoneType"),
        (lambda desk, _: desk.drafts.create("text", actor="x"), "message: is of the type str"),
        (lambda desk, _: desk.publish(accident(), key=None, actor="x"), "key: 1 to 200 printable characters"),
        (lambda desk, _: desk.publish(accident(), key="a", actor=4711), "actor: 1 to 200 printable characters"),
        (lambda desk, _: desk.drain("soon"), "budget: write a timedelta, or a number of seconds"),
        (lambda desk, _: desk.drafts.create(accident(), actor="x", authenticated="false"), "authenticated: write True"),
        (lambda desk, name: desk.drafts.revise(name, accident(), actor="x", authenticated=1), "authenticated: write"),
        (lambda desk, name: desk.drafts.approve(name, digest="", actor="x", authenticated="no"), "write True or False"),
        (lambda desk, _: desk.operations.resolve(1, actor="x", posted="false"), "Nothing was changed"),
        (lambda desk, name: desk.drafts.second_reading(name, actor="x", objects="false"), "objects: write True or"),
    ],
)
def test_a_value_of_another_type_is_refused(call: Callable[[Publisher, str], Any], told: str) -> None:
    with recording_publisher() as recording:
        desk = recording.publisher
        draft = desk.drafts.create(accident(), actor="claire")
        with pytest.raises((TypeError, ValueError), match=told):
            call(desk, draft.id)
        assert desk.operations.publications() == ()
        assert desk.drafts.get(draft.id) == draft


def test_a_drain_takes_seconds_as_a_publication_does() -> None:
    with recording_publisher() as recording:
        recording.publisher.publish(accident(), key="a", actor="claire", wait=0)
        recording.publisher.drain(5)  # type: ignore[arg-type]  # a time span, for a type checker
        assert recording.publisher.operations.publications()[0].ok
