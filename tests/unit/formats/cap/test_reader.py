"""Alerts of other services: read whatever their spelling, and refused with the element that is wrong."""

from __future__ import annotations

import pytest

from policenotify.errors import InvalidAlert
from policenotify.formats.cap.fields import imported
from policenotify.formats.cap.reader import MAX_BYTES, AlertPart, read
from policenotify.model.message import Message
from tests.support.alerts import BOMB, VIGILANCE, foreign_alerts

REFUSED = {
    "google-bushfire_invalid.edxlde#1": "alert has no identifier",
    "google-bushfire_invalid.edxlde#2": "urgency is none of Immediate, Expected, Future, Past, Unknown",
    "google-invalid.cap#0": "alert has no scope",
    "google-xee.cap": "it is a web page, or has a document type (DOCTYPE), which an alert must not have",
}
"""What the schema refuses, too: tests/oracles."""

NOT_PUBLIC = {
    "kde-454888.cap#0": "its scope is Private: it is not for the public",
    "kelvinn-ph.cap#0": "its status is Test: it is not for the public",
}
TEXT = VIGILANCE.read_text("utf-8")


def take(text: str | bytes) -> None:
    content = text if isinstance(text, bytes) else text.encode()
    done = imported(content, codes={}, language="fr", category="fire")
    if "headline" in done.fields or done.kind != "Cancel":
        Message.model_validate(done.fields)


def reason(text: str | bytes) -> str:
    with pytest.raises(InvalidAlert) as caught:
        take(text)
    return str(caught.value.reason)


def changed(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new, 1)


def test_real_alerts_are_read_and_the_others_say_why() -> None:
    why, old, known = {}, 0, 0
    for name, content in foreign_alerts():
        try:
            take(content)
            known += 1
        except InvalidAlert as error:
            if str(error.reason).startswith("its top element is 'urn:oasis:names:tc:emergency:cap:1.1 alert"):
                old += 1
            else:
                why[name] = str(error.reason)
    assert why == REFUSED | NOT_PUBLIC
    assert old > 10
    assert known > 110


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (BOMB, "DOCTYPE"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "it is a web page"),
        (b"x" * MAX_BYTES, "1 MB or more"),
        (b"<a>" * 140_000 + b"</a>" * 140_000, "its top element"),  # nothing recurses
        (b'<?xml version="1.0" encoding="nothing"?><a/>', "well-formed"),
        (b"<alert xmlns='urn:oasis:names:tc:emergency:cap:1.1'/>", "cap:1.1 alert"),
    ],
)
def test_what_is_not_an_alert_is_refused(content: bytes, why: str) -> None:
    assert why in reason(content)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("<scope>Public</scope>", "", "alert has no scope"),
        ("<msgType>Alert", "<msgType>Ack", "its msgType is Ack, and not Alert, Update or Cancel"),
        ("<urgency>Future", "<urgency>Soon", "urgency is none of"),
        ("<sender>", "<sender>a,b", "sender holds a space, a comma"),
        ("2022-08-10T16:12:20+02:00", "yesterday", "sent is not a time"),
        ("2022-08-10T16:12:20+02:00", "2022-08-10T16:12:20", "sent is not a time with its offset"),
        ("2022-08-10T16:12:20+02:00", "0001-01-01T00:00:00+23:59", "sent is not a time"),
        ("<info>", "<references>a,b</references><info>", "references are not triplets"),
    ],
)
def test_a_wrong_element_is_named(old: str, new: str, why: str) -> None:
    assert why in reason(changed(old, new))


def test_spelling_is_not_meaning() -> None:
    def alert(old: str, new: str) -> AlertPart:
        return read(changed(old, new).encode())

    assert alert("2022-08-10T16:12:20+02:00", "2022-08-10T14:12:20.5Z").reference.sent.hour == 14
    assert alert("2022-08-10T16:12:20+02:00", "2022-08-10T16:12+0200").reference.sent.minute == 12
    assert alert("<scope>", "<code>a</code><code/><x xmlns='b'>c</x><scope>").texts("code") == ["a"]
    [info, _] = alert("<area>", "<geocode><value>x</value><valueName/></geocode><area>").parts("info")
    assert info.pairs("geocode") == []
