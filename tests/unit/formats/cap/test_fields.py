"""What a message takes from a foreign alert, and what it leaves to a person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from policenotify.errors import InvalidAlert
from policenotify.formats.cap.alert import Alert, AlertArea, AlertStatus, Circle, MessageType, Pair, Scope
from policenotify.formats.cap.fields import Imported, imported
from policenotify.formats.cap.french_codes import CODES, DEPARTMENTS, NUTS3
from policenotify.formats.cap.reader import read
from policenotify.model.cap import CapCategory, ResponseType, Urgency
from policenotify.model.message import Message
from tests.support.alerts import VIGILANCE

ALERT = read(VIGILANCE.read_bytes())
FRENCH, ENGLISH = ALERT.infos
KNOWN = {"OET-078": ["fire"], "OET-165": ["road_closure", "planned_event"]}


def take(alert: Alert = ALERT, *, language: str = "fr", category: str | None = None) -> Imported:
    done = imported(alert, codes=KNOWN, language=language, category=category)
    Message.model_validate(done.fields)
    return done


def with_info(**changes: Any) -> Alert:
    return ALERT.model_copy(update={"infos": (FRENCH.model_copy(update=changes),)})


def codes(done: Imported) -> list[str]:
    return [finding.code for finding in done.findings]


def place(*areas: AlertArea) -> tuple[dict[str, Any] | None, list[str]]:
    done = take(with_info(areas=areas))
    location = Message.model_validate(done.fields).location
    return location.model_dump(exclude_defaults=True) if location else None, codes(done)


def test_the_alert_of_meteo_france_is_a_message_in_two_languages() -> None:
    done = take()
    message = Message.model_validate(done.fields)
    assert (done.findings, done.ends) == ((), False)
    assert (message.category, message.source, message.severity) == ("weather_relay", "METEO-FRANCE", "Moderate")
    assert (message.headline, message.language) == ("Vigilance jaune orages", "fr")
    assert message.translations[0].headline == "Moderate thunderstorm warning"
    assert message.location
    assert (message.location.department, message.location.also_departments) == ("04", ("05", "06", "31"))
    assert (message.starts_at, message.expires_at) == (FRENCH.onset, FRENCH.expires)
    assert message.link == "http://vigilance.meteofrance.com/"
    assert "  " not in message.description


def test_the_language_of_the_desk_is_the_message_s_own() -> None:
    english = Message.model_validate(take(language="en").fields)
    assert (english.language, english.translations[0].language) == ("en", "fr")
    assert Message.model_validate(take(language="de").fields).language == "fr"
    odd = ALERT.model_copy(update={"infos": (FRENCH.model_copy(update={"language": "?"}),)})
    assert Message.model_validate(take(odd).fields).language == "en"


def test_of_two_parts_in_one_language_the_first_is_taken() -> None:
    assert codes(take(ALERT.model_copy(update={"infos": (FRENCH, FRENCH)}))) == ["PN702"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"scope": Scope.PRIVATE}, "scope is Private"),
        ({"status": AlertStatus.TEST}, "status is Test"),
        ({"message_type": MessageType.ACK}, "msgType is Ack"),
        ({"infos": ()}, "no info"),
        ({"references": (ALERT.reference,) * 501}, "more than 500"),
        ({"infos": (FRENCH, ENGLISH.model_copy(update={"headline": "\u200b", "event": "\u200b"}))}, "can be seen"),
    ],
)
def test_what_is_not_for_the_public_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidAlert, match=why):
        take(ALERT.model_copy(update=changes))


def test_the_category_follows_from_the_event_code_and_is_never_guessed() -> None:
    def of(code: str, *, name: str = "OET:v1.2", category: str | None = None) -> str:
        info = {"event_codes": (Pair(name=name, value=code),), "categories": (CapCategory.FIRE,), "parameters": ()}
        found: str = take(with_info(**info), category=category).fields["category"]
        return found

    assert of("OET-078") == "fire"
    assert of("OET-078", category="arrest") == "arrest"
    with pytest.raises(InvalidAlert, match="road_closure or planned_event"):
        of("OET-165")
    with pytest.raises(InvalidAlert, match="--category"):
        of("OET-999")
    with pytest.raises(InvalidAlert, match="--category"):
        of("OET-078", name="SAME")


def test_an_exercise_stays_one() -> None:
    assert take(ALERT.model_copy(update={"status": AlertStatus.EXERCISE})).fields["exercise"] is True


@pytest.mark.parametrize("changes", [{"urgency": Urgency.PAST}, {"responses": (ResponseType.ALL_CLEAR,)}])
def test_an_all_clear_ends(changes: dict[str, Any]) -> None:
    assert take(with_info(**changes)).ends


def test_words_fit_a_message() -> None:
    done = take(with_info(headline="a" * 200, description="b " * 9_000))
    assert codes(done) == ["PN704", "PN704"]
    assert len(done.fields["headline"]) == 160
    assert take(with_info(headline="")).fields["headline"] == FRENCH.event
    assert take(with_info(sender_name="")).fields["source"] == "vigilance@meteo.fr"


def test_a_link_that_may_not_be_published_is_left_out() -> None:
    done = take(with_info(web="javascript:alert(1)"))
    assert (done.fields["link"], codes(done)) == (None, ["PN703"])


def test_an_alert_that_expires_before_it_begins_has_no_beginning() -> None:
    assert FRENCH.expires
    assert take(with_info(onset=FRENCH.expires + timedelta(hours=1))).fields["starts_at"] is None


def test_places_are_those_that_are_known_here() -> None:
    def coded(*pairs: tuple[str, str]) -> AlertArea:
        return AlertArea(description="x", geocodes=tuple(Pair(name=name, value=value) for name, value in pairs))

    assert place(coded(("INSEE", "34172"))) == ({"commune": "34172", "department": "34"}, [])
    assert place(coded(("INSEE", "97411"), ("NUTS3", "FRJ13"))) == (
        {"commune": "97411", "department": "974", "also_departments": ("34",)},
        [],
    )
    many = place(coded(("INSEE", "34172"), ("INSEE", "34301"), ("UGC", "x")))
    assert many == ({"department": "34"}, ["PN705"])
    assert place(coded(("UGC", "x"))) == ({"label": "x"}, ["PN705"])
    assert place(AlertArea(description="")) == (None, ["PN701", "PN705"])


def test_shapes_are_turned_round() -> None:
    ring = ((43.5, 3.8), (43.5, 3.9), (43.6, 3.9), (43.5, 3.8))
    alone, _ = place(AlertArea(description="Au port", polygons=(ring,)))
    assert alone
    assert alone["area"]["coordinates"][0][0] == (3.8, 43.5)
    both, _ = place(AlertArea(description="Au port", polygons=(ring, ring)))
    assert both
    assert both["area"]["type"] == "MultiPolygon"
    circle = Circle(latitude=43.5, longitude=3.8, radius=1.5)
    point, found = place(AlertArea(description="", circles=(circle,)))
    assert (point, found) == ({"point": {"latitude": 43.5, "longitude": 3.8, "accuracy": 1500.0}}, [])
    assert place(AlertArea(description="", circles=(circle, circle)))[1] == ["PN705"]
    swapped = Circle(latitude=3.8, longitude=43.5, radius=1.5)
    assert place(AlertArea(description="Au port", circles=(swapped,))) == ({"label": "Au port"}, ["PN705"])


def test_the_departments_have_all_their_codes() -> None:
    assert len(NUTS3) == 101
    assert len(set(NUTS3.values())) == 101
    assert len(CODES) == 101
    before = [code for code in DEPARTMENTS if code not in NUTS3]
    assert len({DEPARTMENTS[code] for code in before if code[2].isdigit() and len(code) == 5}) >= 92
    samples = {
        "FR821": "04",
        "FR623": "31",
        "FRJ13": "34",
        "FR101": "75",
        "FRM02": "2B",
        "FRY40": "974",
        "FRA40": "974",
    }
    assert {code: DEPARTMENTS[code] for code in samples} == samples
