"""Each error of Google's profile of CAP is found in a foreign alert. Our own have none: see the tests of the export."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from policenotify.formats.cap.alert import Alert, AlertArea, MessageType, Pair
from policenotify.formats.cap.profile import missing
from policenotify.formats.cap.reader import read
from policenotify.model.cap import CapCategory
from tests.support.alerts import VIGILANCE

ALERT = read(VIGILANCE.read_bytes())
CODES = (Pair(name="OET:v1.2", value="OET-001"),)


def fields(alert: Alert) -> list[str]:
    return [finding.field for finding in missing(alert)]


@pytest.mark.parametrize("kind", [MessageType.UPDATE, MessageType.CANCEL])
def test_a_change_names_what_it_changes(kind: MessageType) -> None:
    assert fields(ALERT.model_copy(update={"message_type": kind})) == ["references"]


def test_an_alert_has_content() -> None:
    assert fields(ALERT.model_copy(update={"infos": ()})) == ["info"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"description": ""}, "description"),
        ({"web": ""}, "web"),
        ({"expires": None}, "expires"),
        ({"effective": ALERT.sent + timedelta(days=9)}, "effective"),
        ({"effective": None, "expires": ALERT.sent - timedelta(days=9)}, "effective"),
        ({"areas": ()}, "area"),
        ({"areas": (AlertArea(description="Au sud"),)}, "area"),
        ({"categories": (CapCategory.FIRE,)}, "category"),
        ({"event_codes": CODES}, "eventCode"),
    ],
)
def test_each_part_is_complete_and_agrees(changes: dict[str, Any], field: str) -> None:
    first, second = ALERT.infos
    assert fields(ALERT.model_copy(update={"infos": (first, second.model_copy(update=changes))})) == [field]


def test_parts_in_one_language_have_one_event() -> None:
    first, _ = ALERT.infos
    other = first.model_copy(update={"event": "Vigilance orange"})
    assert fields(ALERT.model_copy(update={"infos": (first, other)})) == ["event"]
