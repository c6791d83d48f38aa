"""Alerts of other services: read whatever their spelling, and refused with the element that is wrong."""

from __future__ import annotations

import pytest

from policenotify.errors import InvalidAlert
from policenotify.formats.cap.alert import Alert, kilometres
from policenotify.formats.cap.profile import missing
from policenotify.formats.cap.reader import MAX_BYTES, read, read_element
from policenotify.formats.cap.writer import write
from tests.support.alerts import BOMB, VIGILANCE, foreign_alerts

REFUSED = {
    "google-bushfire_invalid.edxlde#1": "alert has no identifier",
    "google-bushfire_invalid.edxlde#2": "urgency is none of Immediate, Expected, Future, Past, Unknown",
    "google-invalid.cap#0": "alert has no scope",
    "google-xee.cap": "it has a document type (DOCTYPE), which an alert must not have",
}
TEXT = VIGILANCE.read_text("utf-8")
AREA = "<area><areaDesc>x</areaDesc>{}</area>"


def reason(text: str | bytes) -> str:
    with pytest.raises(InvalidAlert) as caught:
        read(text if isinstance(text, bytes) else text.encode())
    return str(caught.value.reason)


def changed(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new, 1)


def with_area(shape: str) -> Alert:
    return read(changed("<area>", f"{AREA.format(shape)}<area>").encode())


def test_real_alerts_are_read_and_the_others_say_why() -> None:
    alerts, why, old = [], {}, 0
    for name, found in foreign_alerts():
        try:
            if isinstance(found, Exception):
                raise found
            alerts.append(read_element(found))
        except InvalidAlert as error:
            if str(error.reason).startswith("it is CAP 1.1"):
                old += 1
            else:
                why[name] = error.reason
    assert why == REFUSED  # which the schema refuses, too: tests/oracles
    assert old > 10
    assert len(alerts) > 110
    for alert in alerts:
        assert write(read(write(alert))) == write(alert)


def test_an_alert_of_meteo_france() -> None:
    alert = read(VIGILANCE.read_bytes())
    assert (alert.sender, [info.language for info in alert.infos]) == ("vigilance@meteo.fr", ["fr-FR", "en-GB"])
    assert alert.infos[0].areas[0].geocodes[0].value == "FR821"
    assert missing(alert) == ()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (BOMB, "DOCTYPE"),
        (b"x" * MAX_BYTES, "1 MB or more"),
        (b"<a>" * 20, "nested too deeply"),
        (b"<a", "well-formed"),
        (b'<?xml version="1.0" encoding="nothing"?><a/>', "well-formed"),
        (b"<alert/>", "its top element"),
        (b"<alert xmlns='http://www.incident.com/cap/1.0'/>", "it is CAP 1.0"),
        (b"<alert xmlns='urn:oasis:names:tc:emergency:cap:1.1'/>", "it is CAP 1.1"),
        (b"<info xmlns='urn:oasis:names:tc:emergency:cap:1.2'/>", "its top element"),
    ],
)
def test_what_is_not_an_alert_is_refused(content: bytes, why: str) -> None:
    assert why in reason(content)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("<scope>Public</scope>", "", "alert has no scope"),
        ("<scope>Public", "<scope>Everyone", "scope is none of Public"),
        ("<category>Met</category>", "", "info has no category"),
        ("<urgency>Future", "<urgency>Soon", "urgency is none of"),
        ("<identifier>2.49", "<identifier>a b", "identifier"),
        ("2022-08-10T16:12:20+02:00", "yesterday", "sent is not a time"),
        ("2022-08-10T16:12:20+02:00", "2022-13-10T16:12:20+02:00", "sent is not a time"),
        ("2022-08-10T16:12:20+02:00", "0001-01-01T00:00:00+23:59", "sent is not a time"),
        ("<info>", "<references>a,b</references><info>", "references are not triplets"),
        ("<area>", AREA.format("<polygon>1,2,3 4,5 1,2</polygon>") + "<area>", "polygon"),
        ("<area>", AREA.format("<polygon>a,b</polygon>") + "<area>", "polygon holds"),
        ("<area>", AREA.format("<circle>1,2</circle>") + "<area>", "circle"),
        ("<area>", AREA.format("<circle>1 2</circle>") + "<area>", "circle is not"),
        ("<area>", AREA.format("<circle>100,2 3</circle>") + "<area>", "latitude"),
    ],
)
def test_a_wrong_element_is_named(old: str, new: str, why: str) -> None:
    assert why in reason(changed(old, new))


def test_spelling_is_not_meaning() -> None:
    assert read(changed("2022-08-10T16:12:20+02:00", "2022-08-10T14:12:20.5Z").encode()).sent.hour == 14
    assert read(changed("2022-08-10T16:12:20+02:00", "2022-08-10T16:12+0200").encode()).sent.minute == 12
    assert read(changed("<language>fr-FR</language>", "").encode()).infos[0].language == "en-US"
    assert with_area("<polygon>1,2 3,4 5,6 </polygon>").infos[0].areas[0].polygons == (
        ((1, 2), (3, 4), (5, 6), (1, 2)),
    )
    assert with_area("<polygon>1,2 1,2</polygon><polygon/><circle/>").infos[0].areas[0].is_coded is False
    assert with_area("<circle>1,2  3</circle>").infos[0].areas[0].circles[0].radius == 3
    assert with_area("<geocode><value>x</value><valueName/></geocode>").infos[0].areas[0].geocodes == ()
    assert read(changed("<scope>", "<code>a</code><code/><x xmlns='b'>c</x><scope>").encode()).codes == ("a",)
    resource = "<resource><resourceDesc>Plan</resourceDesc></resource><area>"
    assert read(changed("<area>", resource).encode()).infos[0].resources[0].mime_type == "application/octet-stream"


def test_a_polygon_is_closed_and_a_radius_is_not_empty() -> None:
    alert = with_area("<polygon>1,2 3,4 5,6 1,2</polygon>")
    area = alert.infos[0].areas[0].model_dump()
    with pytest.raises(ValueError, match="first one"):
        type(alert.infos[0].areas[0]).model_validate({**area, "polygons": [[(1, 2), (3, 4), (5, 6), (7, 8)]]})
    assert (kilometres(None), kilometres(1234.5)) == (0.1, 1.235)
