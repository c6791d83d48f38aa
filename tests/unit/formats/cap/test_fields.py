"""What a message takes from a foreign alert, and what it leaves to a person."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest

from policenotify.errors import InvalidAlert
from policenotify.formats.cap.fields import Imported, imported
from policenotify.model.message import Message
from tests.support.alerts import VIGILANCE, with_info

TEXT = VIGILANCE.read_text("utf-8")
KNOWN = {"OET-078": ["fire"], "OET-165": ["road_closure", "planned_event"]}


def take(text: str = TEXT, *, language: str = "fr", category: str | None = None) -> Imported:
    done = imported(text.encode(), codes=KNOWN, language=language, category=category)
    Message.model_validate(done.fields)
    return done


def message(text: str = TEXT, *, language: str = "fr") -> Message:
    return Message.model_validate(take(text, language=language).fields)


def codes(done: Imported) -> list[str]:
    return [finding.code for finding in done.findings]


def lacking(text: str) -> list[str]:
    return [finding.field for finding in take(text).findings if finding.code == "PN701"]


def pair(name: str, value: str, *, of: str = "geocode") -> str:
    return f"<{of}><valueName>{name}</valueName><value>{value}</value></{of}>"


def area(*content: str, words: str = "x") -> str:
    return f"<area><areaDesc>{words}</areaDesc>{''.join(content)}</area>"


def place(*areas: str) -> tuple[dict[str, Any] | None, list[str]]:
    text = with_info(*areas) if areas else with_info(area="")
    location = message(text).location
    return location.model_dump(exclude_defaults=True) if location else None, codes(take(text))


def test_the_alert_of_meteo_france_is_a_message_in_two_languages() -> None:
    done, taken = take(), message()
    assert (done.findings, done.ends, done.kind, done.references) == ((), False, "Alert", [])
    assert (taken.category, taken.source, taken.severity) == ("weather_relay", "METEO-FRANCE", "Moderate")
    assert (taken.headline, taken.language) == ("Vigilance jaune orages", "fr")
    assert taken.translations[0].headline == "Moderate thunderstorm warning"
    assert taken.location
    assert (taken.location.department, taken.location.also_departments) == ("04", ("05", "06", "31"))
    assert taken.starts_at == datetime.fromisoformat("2022-08-10T16:11:00+02:00")
    assert taken.expires_at == datetime.fromisoformat("2022-08-11T16:00:00+02:00")
    assert taken.link == "http://vigilance.meteofrance.com/"
    assert "  " not in taken.description


def test_the_language_of_the_desk_is_the_message_s_own() -> None:
    english = message(language="en")
    assert (english.language, english.translations[0].language) == ("en", "fr")
    assert message(language="de").language == "fr"
    assert message(with_info(language="?")).language == "en"
    assert message(with_info(language="")).language == "en"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (TEXT.partition("<info>")[0] + "</alert>", "no info"),
        (
            with_info().replace("<info>", f"<references>{'a,b,2022-08-10T16:12:20Z ' * 501}</references><info>"),
            "more than 500",
        ),
        (with_info(headline="\u200b", event="\u200b"), "can be seen"),
    ],
)
def test_what_no_message_can_be_made_of_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidAlert, match=why):
        take(text)


def test_a_cancellation_may_have_no_words() -> None:
    text = TEXT.partition("<info>")[0] + "<note>Fausse  alerte.</note></alert>"
    done = imported(text.replace(">Alert<", ">Cancel<").encode(), codes=KNOWN, language="fr", category=None)
    assert (done.kind, dict(done.fields)) == ("Cancel", {"description": "Fausse alerte.", "exercise": False})


def test_the_category_follows_from_the_event_code_and_is_never_guessed() -> None:
    def of(code: str, *, name: str = "OET:v1.2", category: str | None = None) -> str:
        text = with_info(pair(name, code, of="eventCode"), category="Fire", parameter="")
        found: str = take(text, category=category).fields["category"]
        return found

    assert of("OET-078") == "fire"
    assert of("OET-078", category="arrest") == "arrest"
    with pytest.raises(InvalidAlert, match="road_closure or planned_event"):
        of("OET-165")
    with pytest.raises(InvalidAlert, match="--category"):
        of("OET-999")
    with pytest.raises(InvalidAlert, match="--category"):
        of("OET-078", name="SAME")


@pytest.mark.parametrize("changes", [{"urgency": "Past"}, {"responseType": "AllClear"}])
def test_an_all_clear_ends(changes: dict[str, str]) -> None:
    assert take(with_info(**changes)).ends


def test_words_fit_a_message() -> None:
    done = take(with_info(headline="a" * 200, description="b " * 9_000))
    assert codes(done) == ["PN702", "PN702"]
    assert len(done.fields["headline"]) == 160
    assert take(with_info(headline="")).fields["headline"] == "Vigilance jaune orages"
    assert take(with_info(senderName="")).fields["source"] == "vigilance@meteo.fr"


def test_a_link_that_may_not_be_published_is_left_out() -> None:
    done = take(with_info(web="javascript:alert(1)"))
    assert (done.fields["link"], codes(done)) == (None, ["PN702"])


def test_the_link_of_one_language_is_that_of_the_message() -> None:
    web = re.search(r"\s*<web>.*?</web>", TEXT)
    assert web
    done = take(TEXT.replace(web[0], "", 1))
    assert (done.fields["link"], codes(done)) == ("http://vigilance.meteofrance.com/", [])
    assert lacking(TEXT.replace(web[0], "")) == ["web"]


def test_an_alert_that_expires_before_it_begins_has_no_beginning() -> None:
    text = with_info(onset="2022-08-11T17:00:00+02:00")
    assert (take(text).fields["starts_at"], codes(take(text))) == (None, ["PN702"])


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (with_info(expires=""), "expires"),
        (with_info(area=""), "area"),
        (TEXT.replace(">Alert<", ">Update<"), "references"),
    ],
)
def test_what_an_alert_lacks_is_a_finding(text: str, field: str) -> None:
    assert lacking(text) == [field]


def test_places_are_those_that_are_known_here() -> None:
    assert place(area(pair("INSEE", "34172"))) == ({"commune": "34172", "department": "34"}, [])
    assert place(area(pair("INSEE", "97411"), pair("NUTS3", "FRJ13"))) == (
        {"commune": "97411", "department": "974", "also_departments": ("34",)},
        [],
    )
    many = place(area(pair("INSEE", "34172"), pair("INSEE", "34301"), pair("UGC", "x")))
    assert many == ({"department": "34"}, ["PN702"])
    assert place(area(pair("UGC", "x"))) == ({"label": "x"}, ["PN702"])
    assert place(area(words="")) == (None, ["PN701"])
    assert place() == (None, ["PN701"])


def test_shapes_are_turned_round() -> None:
    ring = "<polygon>43.5,3.8 43.5,3.9 43.6,3.9 43.5,3.8 </polygon>"
    alone, _ = place(area(ring))
    assert alone
    assert alone["area"]["coordinates"][0][0] == (3.8, 43.5)
    assert place(area(ring.replace(" 43.5,3.8 ", "")))[0] == alone  # it is closed here
    both, _ = place(area(ring, ring))
    assert both
    assert both["area"]["type"] == "MultiPolygon"
    circle = "<circle>43.5,3.8  1.5</circle>"
    point, found = place(area(circle, words=""))
    assert (point, found) == ({"point": {"latitude": 43.5, "longitude": 3.8, "accuracy": 1500.0}}, [])
    assert place(area(circle, circle))[1] == ["PN702"]
    assert place(area("<polygon>1,2 1,2</polygon><polygon/><circle/>")) == ({"label": "x"}, [])


@pytest.mark.parametrize(
    "shape",
    [
        "<circle>3.8,43.5 1.5</circle>",  # elsewhere, with latitude and longitude swapped
        "<circle>100,2 3</circle>",
        "<polygon>1,2,3 4,5 1,2 3,4</polygon>",
        "<polygon>3.8,43.5 3.9,43.5 3.9,43.6 3.8,43.5</polygon>",
    ],
)
def test_a_shape_that_cannot_be_is_left_out_and_the_desk_is_told(shape: str) -> None:
    assert place(area(shape, words="Au port")) == ({"label": "Au port"}, ["PN702"])
