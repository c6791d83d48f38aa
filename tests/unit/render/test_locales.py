"""The fixed phrases and the shipped categories."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter

from policenotify.errors import SettingsError
from policenotify.model.cap import CapCategory, Precision, ResponseType, Severity
from policenotify.model.message import Category
from policenotify.render.locales import LOCALES, PROFILES, CategoryProfile, profile_of
from policenotify.render.locales.loader import read_locale, read_profiles
from policenotify.text.links import hashtag

PARIS = ZoneInfo("Europe/Paris")
FR, EN = LOCALES["fr"], LOCALES["en"]


def _at(month: int, day: int, hour: int, minute: int = 0, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=PARIS)


def test_the_categories_are_those_of_the_message() -> None:
    assert list(PROFILES) == [category.value for category in Category]
    assert all(code == profile.code for code, profile in PROFILES.items())


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_no_category_lacks_its_words(profile: CategoryProfile) -> None:
    for language in LOCALES:
        assert profile.labels[language]
        assert profile.hashtags[language]
        assert all(hashtag(tag) == tag for tag in profile.hashtags[language])
    assert profile.emoji
    assert profile.severity is not Severity.UNKNOWN
    assert profile.lifetime is None or profile.opens_incident
    assert not profile.ongoing or profile.opens_incident
    assert profile.opens_incident == (profile.lifetime is not None)


@pytest.mark.parametrize(
    ("moment", "read"),
    [
        (_at(6, 5, 18, 30), "Prochain point à 18h30"),
        (_at(6, 5, 9, 5), "Prochain point à 9h05"),
        (_at(6, 7, 0), "Prochain point à minuit, dans la nuit de samedi à dimanche 7 juin"),
        (_at(7, 1, 8), "Prochain point mercredi 1er juillet à 8h"),
        (_at(1, 1, 0, 15, year=2027), "Prochain point vendredi 1er janvier 2027 à 0h15"),
        (datetime(2026, 6, 5, 22, 0, tzinfo=UTC), "Prochain point à minuit"),
    ],
)
def test_french_writes_the_time_as_its_readers_do(moment: datetime, read: str) -> None:
    assert FR.fill(FR.next_update, moment, _at(6, 5, 17, 42), PARIS) == read


@pytest.mark.parametrize(
    ("start", "end", "read"),
    [
        (_at(6, 5, 20), _at(6, 5, 23), "de 20h à 23h"),
        (_at(6, 6, 20), _at(6, 6, 23, 30), "samedi 6 juin de 20h à 23h30"),
        (_at(6, 5, 22), _at(6, 6, 5), "du vendredi 5 juin à 22h au samedi 6 juin à 5h"),
        (_at(6, 6, 0), _at(6, 6, 6), "samedi 6 juin de 0h à 6h"),
        (_at(6, 6, 0), _at(6, 7, 0), "toute la journée du samedi 6 juin"),
        (_at(6, 5, 0), _at(6, 5, 23, 59), "toute la journée"),
        (_at(7, 8, 0), _at(7, 14, 0), "du mercredi 8 juillet au lundi 13 juillet"),
    ],
)
def test_french_writes_a_time_span(start: datetime, end: datetime, read: str) -> None:
    assert FR.span(start, end, _at(6, 5, 17), PARIS) == read


def test_english_writes_the_time_as_french_signs_do() -> None:
    today = _at(6, 5, 17)
    assert EN.fill(EN.next_update, _at(6, 5, 18, 30), today, PARIS) == "Next update at 18:30"
    assert EN.fill(EN.next_update, _at(7, 1, 8), today, PARIS) == "Next update on Wednesday 1 July at 8:00"
    assert EN.span(_at(6, 6, 20), _at(6, 6, 23), today, PARIS) == "on Saturday 6 June from 20:00 to 23:00"
    assert EN.date_and_time(_at(6, 5, 17), today, PARIS) == "Friday 5 June at 17:00"


def test_a_wrong_category_names_the_nearest() -> None:
    assert profile_of("fire", PROFILES).label("fr") == "Incendie"
    with pytest.raises(
        SettingsError, match=r"'traffic_acident' is not a category here\. Did you mean 'traffic_accident'\?"
    ):
        profile_of("traffic_acident", PROFILES)
    with pytest.raises(SettingsError, match="Known here: none"):
        profile_of("fire", {})


def test_a_profile_is_read_from_settings_and_falls_back_on_its_own_words() -> None:
    table = """
    code = "drone"
    labels = { fr = "Drone", oc = "Dròne" }
    hashtags = { fr = ["Drone", "Survol"] }
    severity_emojis = { Severe = "🛸" }
    severity_hashtags = { fr = { Severe = "AlerteDrone" } }
    cap_categories = ["Security"]
    response_types = ["Monitor"]
    severity = "Minor"
    opens_incident = true
    lifetime = "PT45M"
    precision = "commune"
    """
    profile = TypeAdapter(CategoryProfile).validate_python(tomllib.loads(table))
    assert profile.label("oc") == "Dròne"
    assert profile.label("oc-FR") == "Dròne"
    assert profile.label("de") == "Drone"
    assert profile.hashtag("de") == "Drone"
    assert profile.hashtag("fr", Severity.SEVERE) == "AlerteDrone"
    assert (profile.sign(Severity.SEVERE), profile.sign()) == ("🛸", "")
    assert profile.lifetime == timedelta(minutes=45)
    assert profile.precision is Precision.COMMUNE
    assert profile.cap_categories == (CapCategory.SECURITY,)
    assert profile.response_types == (ResponseType.MONITOR,)
    bare = CategoryProfile(code="own_kind", labels={})
    assert (bare.label("fr"), bare.hashtag("fr")) == ("own kind", "")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"fire": {"labels": "Feu"}}, "categories.fire.labels: write a table"),
        ({"drone": {}}, "categories.drone.labels: is missing."),
    ],
)
def test_a_category_that_is_wrong_is_refused_with_its_place(changes: dict[str, dict[str, str]], line: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read_profiles(LOCALES, changes)
    assert str(raised.value).startswith(line)
    assert ("is not a shipped category, so it is new" in str(raised.value)) is ("drone" in changes)


@pytest.mark.parametrize("name", ["marks", "labels", "months"])
def test_a_table_of_a_language_that_is_none_is_refused_with_its_place(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{name}: write a "):
        read_locale("fr", {name: 3}, base=FR)
