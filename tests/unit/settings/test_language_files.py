"""Languages added by a file, and the completeness of the shipped ones and of the how-to page's."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Formatter
from textwrap import dedent
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, select

from policenotify.channel import Capabilities, Channel, ChannelConfig, Clock, PostRef, StateStore
from policenotify.errors import SettingsError
from policenotify.journal.database import schema
from policenotify.model.cap import Severity
from policenotify.model.history import History, HistoryEntry, Outcome, PostedPart, Target
from policenotify.model.languages import tags_for
from policenotify.model.lifecycle import Stage
from policenotify.model.locale import FeedPhrases, ReminderPhrases
from policenotify.model.message import Message, Translation
from policenotify.render import RenderContext, render
from policenotify.render.locales import LOCALES, PROFILES, Locale, Phrase, best_match, template
from policenotify.render.locales.loader import locale_schema, phrase_error, read_locale
from policenotify.settings import (
    Settings,
    SettingsFile,
    languages_of,
    locales_of,
    missing_labels,
    open_publisher,
    profiles_of,
    read_settings,
)
from policenotify.text.budget import Budget, graphemes
from policenotify.text.characters import one_line
from policenotify.text.links import hashtag
from policenotify.validation import path
from tests.support.five_networks import AheadClock
from tests.support.installation import Desk, accident, open_desk
from tests.support.patience import LONG

PARIS: Final = ZoneInfo("Europe/Paris")
REUNION: Final = ZoneInfo("Indian/Reunion")
NOW: Final = datetime(2026, 6, 5, 17, 42, tzinfo=PARIS)
FR, EN = LOCALES["fr"], LOCALES["en"]
NAMES: Final = {"labels", "hashtags", "severity_labels", "severity_hashtags", "stage_marks"}
LATER: Final = (Stage.UPDATE, Stage.END, Stage.CORRECTION, Stage.CANCELLATION)
FIELDS: Final = [name for name in Locale.model_fields if name not in {"language", "version", *NAMES}]
NEEDED: Final = [name for name in FIELDS if Locale.model_fields[name].is_required() and name != "reminder"]
PAGE: Final = Path(__file__).parents[3] / "docs" / "howto" / "languages.md"
USE, ONLY_SOME = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
GERMAN: Final = (Path(__file__).parents[3] / "examples" / "words" / "de.toml").read_text(encoding="utf-8")
BASIC: Final = """
sender = "Police nationale"
[channels.bluesky]
network = "bluesky"
handle = "police.example"
password = "hunter22"
languages = [{languages}]
"""

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Write settings and language files, and return the path of the settings."""

    def written(*more: str, languages: str = '"fr"', **files: str) -> Path:
        (tmp_path / "words").mkdir(exist_ok=True)
        named = {name.replace("_", "-"): content for name, content in files.items()}
        for name, content in named.items():
            (tmp_path / "words" / f"{name}.toml").write_text(content, encoding="utf-8")
        table = [f'{name} = "words/{name}.toml"' for name in named]
        place = tmp_path / "policenotify.toml"
        place.write_text("\n".join([BASIC.format(languages=languages), "[languages]", *table, *more]))
        return place

    return written


def read(place: Path) -> Settings:
    return read_settings(place, environ={})


def wrongs(place: Path) -> list[str]:
    """Return the reported errors, line by line."""
    with pytest.raises(SettingsError) as raised:
        read(place)
    first, *lines = str(raised.value).splitlines()
    assert first == f"The settings {place} are wrong:"
    return [line.strip() for line in lines]


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("german")
    (folder / "de.toml").write_text(GERMAN, encoding="utf-8")
    place = folder / "policenotify.toml"
    place.write_text(BASIC.format(languages='"fr", "de-CH"') + '[languages]\nde = "de.toml"')
    return read(place)


# --- a language as a file


def again(words: Locale) -> Locale:
    """The words, written and read."""
    return read_locale(words.language, words.model_dump(mode="json", exclude={"version"})).locale


@pytest.mark.parametrize("words", LOCALES.values(), ids=LOCALES)
def test_a_shipped_language_is_read_as_it_was_written(words: Locale) -> None:
    assert again(words) == words
    assert tomllib.loads(template(words.language))["language"] == words.language


@pytest.mark.parametrize("language", LOCALES)
def test_the_written_file_explains_each_field(language: str) -> None:
    written = " ".join(line.removeprefix("# ") for line in template(language).splitlines())
    for field in (*FIELDS, *NAMES):
        about = locale_schema()["properties"][field]["description"]
        assert about
        place = f"[{field}.weather_relay]" if field.startswith("severity_") else f"[{field}]"
        assert any(f"{about} {key}" in written for key in (f"{field} =", place)) or field == "negations"
        assert about in written


@pytest.mark.parametrize("language", LOCALES)
def test_the_names_of_categories_are_written_too(language: str, install: Install) -> None:
    settings = read(install(**{language: template(language)}))
    assert profiles_of(settings) == PROFILES
    assert languages_of(settings)[language].locale == LOCALES[language]


_SAID = (  # as texts are stored: composed, and without invisible characters
    st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"], exclude_characters="{}"), min_size=1)
    .map(one_line)
    .filter(bool)
)


def _like(form: str) -> st.SearchStrategy[str]:
    """Other texts with the same names in braces, in any order."""
    names = [
        f"{{{name}:{spec}}}" if spec else f"{{{name}}}" for _, name, spec, _ in Formatter().parse(form) if name
    ]  # fmt: skip
    return st.tuples(st.permutations(names), _SAID).map(lambda drawn: " ".join([drawn[1], *drawn[0]]))


def _values(value: object) -> st.SearchStrategy[Any]:
    if isinstance(value, Phrase):
        return st.builds(Phrase, today=_like(value.today), other_day=_like(value.other_day))
    if isinstance(value, ReminderPhrases | FeedPhrases):
        return st.builds(type(value), **{name: _values(inner) for name, inner in value})
    if isinstance(value, tuple):
        size = min(len(value), 12)  # as many as months: a list of words may have any length
        return st.lists(_SAID, min_size=size, max_size=size).map(tuple)
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, str):
        return _like(value)
    assert isinstance(value, Mapping)
    return st.fixed_dictionaries(dict.fromkeys(value, _SAID))


@given(changes=st.fixed_dictionaries({field: _values(getattr(FR, field)) for field in FIELDS}))
def test_any_field_is_read_as_it_was_written(changes: dict[str, Any]) -> None:
    words = FR.model_copy(update=changes)
    assert again(words) == words.model_copy(update={"version": again(words).version})


# --- complete, in every language


@pytest.fixture(params=["fr", "en", "de"])
def words(request: pytest.FixtureRequest, german: Settings) -> Locale:
    return locales_of(german)[request.param]


def test_every_category_has_its_own_name_and_hashtag_in_each_language(words: Locale, german: Settings) -> None:
    for code, profile in profiles_of(german).items():
        assert profile.labels[words.language], code
        assert profile.hashtag(words.language), code
        assert hashtag(profile.hashtag(words.language)) == profile.hashtag(words.language)
        for severity in profile.severity_emojis:
            assert profile.hashtag(words.language, severity), code


MOMENTS: Final = {
    "today": NOW.replace(hour=18, minute=30),
    "full hour": NOW.replace(hour=8, minute=0),
    "midnight": datetime(2026, 6, 6, tzinfo=PARIS),
    "first of a month": datetime(2026, 7, 1, 9, 5, tzinfo=PARIS),
    "another year": datetime(2027, 1, 1, 0, 15, tzinfo=PARIS),
    "clocks go back": datetime(2026, 10, 25, 2, 30, tzinfo=PARIS, fold=1),
    "clocks go forward": datetime(2027, 3, 28, 1, 30, tzinfo=UTC),
}
READ: Final = {
    ("fr", "today"): "Prochain point à 18h30",
    ("fr", "full hour"): "Prochain point à 8h",
    ("fr", "midnight"): "Prochain point à minuit",
    ("fr", "first of a month"): "Prochain point mercredi 1er juillet à 9h05",
    ("fr", "another year"): "Prochain point vendredi 1er janvier 2027 à 0h15",
    ("fr", "clocks go back"): "Prochain point dimanche 25 octobre à 2h30 (heure d'hiver)",
    ("fr", "clocks go forward"): "Prochain point dimanche 28 mars 2027 à 3h30",
    ("de", "today"): "Nächste Meldung um 18:30 Uhr",
    ("de", "full hour"): "Nächste Meldung um 8 Uhr",
    ("de", "midnight"): "Nächste Meldung um Mitternacht",
    ("de", "first of a month"): "Nächste Meldung am Mittwoch, 1. Juli um 9:05 Uhr",
    ("de", "another year"): "Nächste Meldung am Freitag, 1. Januar 2027 um 0:15 Uhr",
    ("de", "clocks go back"): "Nächste Meldung am Sonntag, 25. Oktober um 2:30 Uhr (Winterzeit)",
    ("de", "clocks go forward"): "Nächste Meldung am Sonntag, 28. März 2027 um 3:30 Uhr",
}


@pytest.mark.parametrize(("language", "when"), READ)
def test_readers_see_when_the_next_update_follows(language: str, when: str, german: Settings) -> None:
    words = locales_of(german)[language]
    assert words.fill(words.next_update, MOMENTS[when], NOW, PARIS) == READ[language, when]


@pytest.mark.parametrize("when", MOMENTS)
def test_english_writes_times_on_the_clock_of_24_hours(when: str) -> None:
    told = EN.fill(EN.next_update, MOMENTS[when], NOW, PARIS)
    there = MOMENTS[when].astimezone(PARIS)
    clock = "midnight" if there.hour == there.minute == 0 else rf"0?{there.hour}:{there.minute:02d}"
    assert re.search(rf"\bat {clock}(?: \(winter time\))?$", told)
    assert not re.search(r"[ap]\.?m\b", told)


@pytest.mark.parametrize("when", MOMENTS)
def test_every_phrase_is_filled_in_with_the_day_and_without(words: Locale, when: str) -> None:
    moment = MOMENTS[when]
    phrases = {name: getattr(words, name) for name in FIELDS if isinstance(getattr(words, name), Phrase)}
    del phrases["all_day"]  # it has no time
    time, day = words.time(moment, PARIS), words.date(moment, NOW, PARIS)
    for name, phrase in phrases.items():
        if name == "within":
            end = moment + timedelta(minutes=20)
            on_the_day = words.span(moment, end, moment, PARIS)
            other = words.span(moment, end, moment - timedelta(days=9), PARIS)
            day = words.date(moment, moment - timedelta(days=9), PARIS)
        else:
            more = {"headline": "Unfall", "colon": words.colon} if name == "context" else {}
            on_the_day = words.fill(phrase, moment, moment, PARIS, **more)
            other = words.fill(phrase, moment, moment - timedelta(days=400), PARIS, **more)
            day = words.date(moment, moment - timedelta(days=400), PARIS)
        assert time in on_the_day
        assert day not in on_the_day
        midnight = time == words.midnight
        assert time in other or (midnight and name == "within")  # with its day, 0h is clearer
        assert day in other
        assert "{" not in on_the_day + other
    night = words.span(moment, moment + timedelta(days=1, hours=3), NOW, PARIS)
    assert words.date(moment + timedelta(days=1, hours=3), NOW, PARIS) in night
    assert words.months[moment.astimezone(PARIS).month - 1] in words.date_and_time(moment, NOW, PARIS)


def test_the_hour_that_comes_twice_says_which_of_the_two_is_meant(words: Locale) -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert words.time(first, PARIS) != words.time(first + timedelta(hours=1), PARIS)
    hours = {words.time(first + timedelta(hours=ahead), PARIS) for ahead in (-1, 0, 2)}
    assert len(hours) == 3


def test_times_are_written_in_the_zone_of_the_installation(words: Locale) -> None:
    assert "20" in words.fill(words.next_update, MOMENTS["today"], NOW, REUNION)
    late = datetime(2026, 6, 5, 22, 30, tzinfo=PARIS)
    assert words.weekdays[5] in words.fill(words.next_update, late, NOW, REUNION)
    assert words.weekdays[5] not in words.fill(words.next_update, late, NOW, PARIS)


def test_the_settings_of_the_page_are_right(install: Install) -> None:
    presse = '[channels.presse]\nnetwork = "email"\nurl = "mailto://desk@police.example"\n'
    place = install(presse + USE.partition("[channels.presse]\n")[2], de=GERMAN, fr=ONLY_SOME)
    assert USE.startswith('[languages]\nde = "words/de.toml"')
    assert tomllib.loads(USE)["languages"] == tomllib.loads(place.read_text(encoding="utf-8"))["languages"]
    assert read(place).channels["presse"].languages == ("fr", "de")


# --- a message in German, on all stages


def _never(_clock: Clock, _keep: StateStore) -> Channel:
    raise AssertionError("rendering opens no channel")


SHORT: Final = Capabilities(budget=Budget(300, graphemes, 3000), replies=True, images=4)
MAIL: Final = Capabilities(budget=Budget(50_000), title=True, html=True, replies=True, images=10)
OPENING: Final = {
    "category": "traffic_accident",
    "severity": "Moderate",
    "headline": "Accident",
    "location": {"commune": "34172", "commune_name": "Montpellier", "street": "avenue de Toulouse"},
    "starts_at": "2026-06-05T17:10:00+02:00",
    "next_update_at": "2026-06-05T18:30:00+02:00",
    "language": "fr",
}
SAYS: Final = {
    Stage.OPENING: "Schwerer Unfall",
    Stage.UPDATE: "Eine Fahrspur wieder offen",
    Stage.END: "Die Straße ist wieder frei",
    Stage.CORRECTION: "Der Unfall ist in der Avenue de Lodève",
    Stage.CANCELLATION: "Es gibt keinen Unfall",
    Stage.STANDALONE: "Fahren Sie vorsichtig",
}


def _message(stage: Stage) -> Message:
    incident = {} if stage is Stage.STANDALONE else {"incident": "i1"}
    lifecycle = {"stage": stage, **incident, **({"corrects": "0" * 26} if stage is Stage.CORRECTION else {})}
    said = Translation(language="de", headline=SAYS[stage], instruction="Meiden Sie die Gegend.")
    return Message.model_validate({**OPENING, "lifecycle": lifecycle, "translations": (said,)})


def _render(stage: Stage, settings: Settings, capabilities: Capabilities = SHORT, zone: ZoneInfo = PARIS) -> Any:
    history, first = History(), _message(Stage.OPENING)
    if stage not in {Stage.OPENING, Stage.STANDALONE}:
        said = PostedPart(
            channel="c", account="a", language="de", outcome=Outcome.POSTED, ref=PostRef(account="a", id="1")
        )  # fmt: skip
        entry = HistoryEntry(
            publication="0" * 26, sequence=1, message=first, at=NOW - timedelta(minutes=30), posts=(said,)
        )
        history = History(incident="i1", entries=(entry,))
    return render(
        RenderContext(
            message=_message(stage),
            language="de",
            locale=locales_of(settings)["de"],
            profile=profiles_of(settings)["traffic_accident"],
            now=NOW,
            zone=zone,
            sender="Police nationale",
            history=history,
        ),
        Target(channel="c", account="a", language="de", reply_to=tuple(one.publication for one in history.entries)),
        channel=ChannelConfig(name="c", network="n", account="a", capabilities=capabilities, open=_never),
        key="0" * 64,
    ).standalone


GERMAN_POSTS: Final = {
    Stage.OPENING: """
        🚨 [#Verkehrsunfall – EINSATZ LÄUFT] #Montpellier – Schwerer Unfall, avenue de Toulouse, seit 17:10 Uhr.
        Meiden Sie die Gegend.
        Nächste Meldung um 18:30 Uhr.""",
    Stage.UPDATE: """
        🔄 [#Verkehrsunfall – AKTUALISIERUNG] #Montpellier, avenue de Toulouse – Eine Fahrspur \
wieder offen seit 17:10 Uhr.
        Meiden Sie die Gegend.
        Folgt auf unsere Meldung von 17:12 Uhr: Schwerer Unfall.
        Nächste Meldung um 18:30 Uhr.""",
    Stage.END: """
        ✅ [#Verkehrsunfall – BEENDET] #Montpellier, avenue de Toulouse – Die Straße ist wieder frei um 17:10 Uhr.
        Meiden Sie die Gegend.
        Folgt auf unsere Meldung von 17:12 Uhr: Schwerer Unfall.""",
}


@pytest.mark.parametrize("stage", GERMAN_POSTS)
def test_a_german_post_reads(stage: Stage, german: Settings) -> None:
    assert _render(stage, german).text == dedent(GERMAN_POSTS[stage]).strip()


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("capabilities", [SHORT, MAIL], ids=["short", "mail"])
def test_no_german_text_contains_french_or_english(stage: Stage, capabilities: Capabilities, german: Settings) -> None:
    post = _render(stage, german, capabilities)
    read = f"{post.title}\n{post.text}\n{post.html}" if capabilities.html else post.text
    assert post.language == "de"
    assert "Verkehrsunfall" in read
    assert SAYS[stage] in post.text
    assert locales_of(german)["de"].marks.get(stage, "") in read
    for shipped in (FR, EN):
        phrases = [value.today for name in FIELDS if isinstance(value := getattr(shipped, name), Phrase)]
        begins = {phrase.partition("{")[0].strip() for phrase in phrases if len(phrase.partition("{")[0]) > 5}
        mails = {getattr(shipped, name) for name in FIELDS if name.startswith("mail_")}
        others = {*begins, *mails, *shipped.marks.values(), *shipped.months, *shipped.weekdays}
        german_too = set(locales_of(german)["de"].months)
        assert not [told for told in others - german_too if re.search(rf"\b{re.escape(told)}\b", read)]


def test_a_german_mail_names_days_by_the_time_zone(german: Settings) -> None:
    mail = _render(Stage.OPENING, german, MAIL)
    assert mail.title == "[Verkehrsunfall – EINSATZ LÄUFT] Montpellier, avenue de Toulouse – Schwerer Unfall"
    for line in ("Seit", "Freitag, 5. Juni, 17:10 Uhr", "Nächste Meldung", "Freitag, 5. Juni, 18:30 Uhr"):
        assert line in mail.text
    assert 'lang="de"' in mail.html
    assert "Nächste Meldung um 20:30 Uhr." in _render(Stage.OPENING, german, zone=REUNION).text


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as opened:
        yield opened


def test_a_second_language_is_a_post_of_its_own_and_its_words_are_journalled(desk: Desk) -> None:
    place = desk.write_settings()
    (desk.folder / "de.toml").write_text(GERMAN, encoding="utf-8")
    said = place.read_text(encoding="utf-8").replace('"Europe/Paris"', '"Indian/Reunion"')
    place.write_text(
        said.replace('network = "bluesky"', 'network = "bluesky"\nlanguages = ["fr", "de"]')
        + '\n[languages]\nde = "de.toml"\n',
        encoding="utf-8",
    )
    clock = AheadClock()
    clock.ahead = NOW - datetime.now(UTC)
    german = Translation(language="de", headline="Schwerer Unfall", instruction="Meiden Sie die Gegend.")
    message = accident(translations=(german,), next_update_at=NOW.replace(hour=18, minute=30))
    with open_publisher(place, clock=clock) as publisher:
        publisher.publish(message, key="k", actor="desk", wait=LONG).raise_for_failures()
        version = publisher.installation.locales["de"].version
    french, other = desk.bluesky.posts
    assert (french.langs, other.langs) == (("fr",), ("de",))
    assert "[#Verkehrsunfall – EINSATZ LÄUFT] #Montpellier – Schwerer Unfall" in other.text
    assert "Prochain point à 20h30." in french.text
    assert "Nächste Meldung um 20:30 Uhr." in other.text
    engine = create_engine(f"sqlite:///{desk.database}")
    with engine.connect() as connection:
        (rules,) = connection.execute(select(schema.publication.c.rules)).scalars()
    engine.dispose()
    assert f'"de":"{version}"' in rules
    assert f'"fr":"{FR.version}"' in rules


FEED: Final = """
sender = "Polizei"
[channels.flux]
network = "feed"
url = "https://alertes.police.example/"
publisher = "Polizei"
folder = "{folder}"
languages = ["de"]
language = "de"
[languages]
de = "de.toml"
"""


def test_a_feed_and_its_pages_are_in_the_language_of_the_installation(desk: Desk) -> None:
    folder, place = desk.folder / "feed", desk.write_settings()
    folder.mkdir()
    (desk.folder / "de.toml").write_text(GERMAN, encoding="utf-8")
    paths = "".join(
        line for line in place.read_text("utf-8").splitlines(keepends=True) if re.match("journal|keys", line)
    )
    place.write_text(paths + FEED.format(folder=folder), encoding="utf-8")
    opening = accident(language="de", headline="Schwerer Unfall")
    with open_publisher(place) as publisher:
        first = publisher.publish(opening, key="1", actor="desk", wait=LONG)
        first.raise_for_failures()
        end = opening.followed_by(Stage.END, headline="Die Straße ist wieder frei", incident=opening.incident)
        publisher.publish(end, key="2", actor="desk", wait=LONG).raise_for_failures()
    ref = first.receipts[0].ref
    assert ref is not None
    page, index = (
        (folder / path).read_text("utf-8") for path in (urlsplit(str(ref.url)).path.lstrip("/"), "index.html")
    )
    assert '<html lang="de">' in page
    assert '<h1 dir="auto">BEENDET – [Verkehrsunfall] ' in page
    assert "Veröffentlicht" in page
    assert "Aktuelles und Kommendes" in index
    for name in ("feed.atom", "feed.rss", "feed.json"):
        assert "Beendet um " in (folder / name).read_text("utf-8")
    files = "".join(each.read_text("utf-8") for each in folder.rglob("*") if each.suffix in {".html", ".atom", ".rss"})
    french = {text for text in FR.feed.model_dump().values() if isinstance(text, str)} - {"Feeds"}
    assert not [text for text in (*french, FR.mail_issued, "Terminé", *FR.weekdays) if text in files]


# --- a file that is wrong


def test_every_error_in_a_file_is_reported_at_once_with_its_place(install: Install) -> None:
    changes = {
        'since = { today = "seit {time}"': 'sinse = { today = "seit {time}"',
        "Gilt bis {day}, {time}": "Gilt bis {dy}",
        "{minute:02d}": "{minute}",
        'reference = "Ref. {reference}"': 'reference = "Ref. {reference"',
        '"Montag", ': "",
        'end = "BEENDET"': 'end = " "',
        'fire = "Brand"': 'fyre = "Brand"',
        '["AmtlicheInfo"]': '["Amtliche-Info"]',
        'mail_link = "Mehr dazu"': 'mail_link = "Mehr\\u200b dazu"',
        'exercise = "ÜBUNG"': 'exercise = "ÜBUNG "',
        'mail_action = "Was Sie tun sollen"': "mail_action = 1",
    }
    broken = GERMAN
    for old, new in changes.items():
        assert old in broken
        broken = broken.replace(old, new)
    lines = wrongs(install(de=broken))
    begins = [
        "labels.fyre: there is no such category. Did you mean 'fire'?",
        'lacks since. Write them, or name a language that lends them: base = "en"',
        "sinse: is not known. Did you mean 'since'?",
        "until.other_day: {dy} is not filled in here. Did you mean 'day'? Known here: day, time.",
        "clock: must hold {minute:02d}, as in '{hour}h{minute:02d}' or '{hour}:{minute:02d}'.",
        "reference: cannot be filled in (expected '}' before end of string). A brace for readers is written twice.",
        "weekdays: must have 7 items, not 6.",
        "marks.end: must not be empty.",
        "feed.end: must not be empty.",
        "hashtags.fact_check[0]: 'Amtliche-Info' is not a hashtag; write 'AmtlicheInfo'",
        "mail_link: holds a line break or an invisible character: remove it",
        "exercise: begins or ends with a space: remove it",
        "mail_action: Input should be a valid string",
    ]
    for begin in begins:
        assert any(line.startswith(f"words/de.toml: {begin}") for line in lines), begin
    assert len(lines) == len(begins)


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ('since = { today = ["depuis {time}"], other_day = "le {day} à {time}" }', "since.today"),
        ('since = { today = { a = { b = "c" } }, other_day = "le {day} à {time}" }', "since.today"),
        ('more = { today = "Plus" }', "more"),
        ('more = { a = { b = "Plus" } }', "more"),
        ('reminder = { headline = ["Rappel"] }', "reminder.headline"),
        ('reminder = { headline = { a = "Rappel" } }', "reminder.headline"),
    ],
)
def test_a_value_of_another_form_is_an_error_with_its_place(line: str, at: str, install: Install) -> None:
    (error,) = wrongs(install(fr=line))
    assert error.startswith(f"words/fr.toml: {at}: Input should be a valid ")


@pytest.mark.parametrize("field", NEEDED)
def test_a_language_of_its_own_that_lacks_a_phrase_is_refused_by_name(field: str, install: Install) -> None:
    words = tomllib.loads(GERMAN)
    del words[field]
    lines = [line for line in GERMAN.splitlines() if not re.match(rf"{field} = .*[^\[]$", line)]
    broken = "\n".join(lines)
    if len(lines) == len(GERMAN.splitlines()):  # a value of several lines
        broken = re.sub(rf"^(?:\[{field}\].*?\n\n|{field} = \[\n.*?^\]\n)", "", GERMAN, flags=re.MULTILINE | re.DOTALL)
    assert tomllib.loads(broken) == words
    (line,) = wrongs(install(de=broken))
    lacks = ", ".join(f"marks.{stage}" for stage in LATER) if field == "marks" else field
    assert line in {f"words/de.toml: lacks {told}. {_LEND}" for told in (lacks, field)}


_LEND: Final = 'Write them, or name a language that lends them: base = "en"'


def test_a_category_without_a_label_falls_back_and_doctor_names_it(install: Install) -> None:
    """First to the installation's first language, then to English: a new shipped category stops nobody."""
    without = GERMAN.replace('fire = "Brand"\n', "").replace('arrest = "Festnahme"\n', "")
    for languages, label in (('"fr", "de"', "Incendie"), ('"de", "fr"', "Fire")):
        settings = read(install('[categories.arrest]\nlabels = { de = "Festnahme" }', languages=languages, de=without))
        profiles = profiles_of(settings)
        assert (profiles["fire"].label("de"), profiles["arrest"].label("de")) == (label, "Festnahme")
        assert list(missing_labels(profiles, settings)) == ["categories.fire.labels.de"]
        lines = [line for line in SettingsFile(settings.place).examine() if line.check == "categories"]
        assert [(line.state, str(line.detail)) for line in lines] == [
            ("note", "without a label, so that another language's is used: categories.fire.labels.de")
        ]


def test_the_settings_of_a_category_take_precedence(install: Install) -> None:
    more = """
    [categories.fire]
    labels = { de = "Feuer" }
    hashtags = { de = ["Feuer"] }
    [categories.river_rescue]
    labels = { fr = "Sauvetage en rivière" }
    [categories.drone]
    labels = { fr = "Drone" }
    """
    place = install(more, languages='"fr", "de-AT", "en"', de=GERMAN.replace("[labels]", '[labels]\ndrone = "Drohne"'))
    settings = read(place)
    profiles = profiles_of(settings)
    assert (profiles["fire"].label("de"), profiles["fire"].hashtag("de")) == ("Feuer", "Feuer")
    assert (profiles["fire"].label("fr"), profiles["fire"].hashtag("fr")) == ("Incendie", "Incendie")
    assert (profiles["drone"].label("de-AT"), profiles["drone"].hashtag("de-AT")) == ("Drohne", "Drohne")
    assert list(missing_labels(profiles, settings)) == [
        "categories.river_rescue.labels.de-AT",
        "categories.river_rescue.labels.en",
        "categories.drone.labels.en",
        "categories.river_rescue.labels.de",
    ]


def test_hashtags_are_made_of_labels_and_never_french_by_accident(german: Settings) -> None:
    profiles = profiles_of(german)
    assert profiles["road_closure"].hashtag("de") == "StraßeGesperrt"
    assert profiles["fact_check"].hashtag("de") == "AmtlicheInfo"
    for severity in profiles["weather_relay"].severity_emojis:
        assert profiles["weather_relay"].hashtag("de", severity) == "Unwetterwarnung"
    assert not list(missing_labels(profiles, german))


def test_a_severity_may_have_a_hashtag_and_a_category_none(install: Install) -> None:
    more = '\narrest = []\nfire = "#Feuer"\n[severity_hashtags.weather_relay]\nExtreme = "WarnungRot"\n'
    profiles = profiles_of(read(install(de=GERMAN + more)))
    weather = profiles["weather_relay"]
    assert {weather.hashtag("de", severity) for severity in weather.severity_emojis} == {
        "Unwetterwarnung",
        "WarnungRot",
    }
    assert (profiles["arrest"].hashtag("de"), profiles["fire"].hashtag("de")) == ("", "Feuer")
    (line,) = wrongs(install(de=GERMAN + more.replace("Extreme", "Terrible")))
    assert line.startswith("words/de.toml: severity_hashtags.weather_relay.Terrible")
    (line,) = wrongs(install(de=GERMAN + '\nfire = "112"'))
    assert line == "words/de.toml: hashtags.fire[0]: '112' is not a hashtag: there is no letter in it"


def test_a_shipped_language_is_changed_in_part(install: Install) -> None:
    settings = read(install(fr=ONLY_SOME))
    changed, fire = locales_of(settings)["fr"], profiles_of(settings)["fire"]
    assert changed.mail_emergency.endswith("04 99 13 50 00.")
    same = {name: getattr(FR, name) for name in ("mail_emergency", "version", "labels", "hashtags")}
    assert changed.model_copy(update=same) == FR
    assert changed.version != FR.version
    assert (fire.label("fr"), fire.hashtag("fr"), fire.label("en")) == ("Feu", "Feu", "Fire")
    assert profiles_of(settings)["arrest"] == PROFILES["arrest"]
    assert languages_of(settings)["fr"].lent == ()
    assert locales_of(settings)["en"] == EN
    only_label = profiles_of(read(install(fr='[labels]\nfire = "Feu"\n[marks]\nend = "FINI"')))["fire"]
    assert (only_label.label("fr"), only_label.hashtag("fr")) == ("Feu", "Incendie")
    assert locales_of(read(install(fr='[marks]\nend = "FINI"')))["fr"].marks == {**FR.marks, Stage.END: "FINI"}


def test_a_new_name_of_a_category_is_used_at_every_severity(install: Install) -> None:
    table = '[labels]\nweather_relay = "Alerte météo"'
    for settings in (install(fr=table), install("[categories.weather_relay.labels]", 'fr = "Alerte météo"')):
        weather = profiles_of(read(settings))["weather_relay"]
        assert [weather.label("fr", severity) for severity in Severity] == ["Alerte météo"] * len(Severity)
        assert weather.label("en", Severity.EXTREME) == "Red weather warning"


def test_the_names_by_severity_are_a_table(install: Install) -> None:
    place = install("[categories.weather_relay]", 'severity_labels = "rouge"')
    with pytest.raises(SettingsError, match="severity_labels"):
        profiles_of(read(place))


def test_words_for_a_stage_are_not_borrowed_from_another_language(install: Install) -> None:
    borrowed = languages_of(read(install(de='base = "fr"\n[marks]\nend = "ENDE"')))["de"].locale
    assert borrowed.stage_marks == {}
    assert borrowed.severity_labels == {}


def test_a_phrase_that_reads_alike_on_every_day_is_one_text(install: Install) -> None:
    words = locales_of(read(install(fr='next_update = "Prochain point : {day}, {time}"')))["fr"]
    assert words.fill(words.next_update, MOMENTS["today"], NOW, PARIS) == "Prochain point : vendredi 5 juin, 18h30"
    (line,) = wrongs(install(fr='next_update = "Prochain point : {time}"'))
    assert line.startswith(
        "words/fr.toml: next_update.other_day: must hold {day}, as in 'Prochain point {day} à {time}'"
    )
    (line,) = wrongs(install(fr='next_update = { today = "Prochain point : {time}" }'))
    assert line.startswith("words/fr.toml: lacks next_update.other_day.")


def test_the_version_is_given_or_follows_from_the_texts(install: Install) -> None:
    def version(de: str) -> object:
        return locales_of(read(install(de=de)))["de"].version

    assert version('version = "3-essai"\n' + GERMAN) == "3-essai"
    assert version("version = 7\n" + GERMAN) == 7
    assert version("version = 0\n" + GERMAN) == 0
    first = version(GERMAN)
    assert re.fullmatch(r"[0-9a-f]{12}", str(first))
    assert version("# a comment\n" + GERMAN) == first
    assert version(GERMAN.replace("BEENDET", "ENDE")) != first
    assert version(GERMAN.replace('"Brand"', '"Feuer"')) != first


def test_a_file_that_is_another_language_s_is_refused(install: Install) -> None:
    (line,) = wrongs(install(nl=GERMAN))
    assert line == "words/nl.toml: language: is 'de', but the settings name this file for 'nl'."


def test_a_base_language_lends_missing_texts_and_this_is_reported(install: Install) -> None:
    part = 'base = "en"\n' + "\n".join(
        line for line in GERMAN.splitlines() if not line.startswith(("since", "end =", "fire ="))
    )
    settings = read(install(de=part))
    one, profiles = languages_of(settings)["de"], profiles_of(settings)
    assert one.lent == ("marks.end", "since", "labels.fire")
    assert (one.base, one.locale.since, one.locale.marks[Stage.END]) == ("en", EN.since, "OVER")
    assert (profiles["fire"].label("de"), profiles["fire"].hashtag("de")) == ("Fire", "Fire")
    assert "3 phrases are in en: marks.end, since, labels.fire" in str(one.text)
    assert languages_of(read(install(de='base = "en"\n' + GERMAN)))["de"].lent == ()


def test_a_field_with_a_default_is_neither_missing_nor_lent_by_another_language(install: Install) -> None:
    settings = read(install(de='base = "fr"\n' + GERMAN, fr_CA='[labels]\nfire = "Feu"'))
    german, canadian = languages_of(settings)["de"], languages_of(settings)["fr-CA"]
    assert german.lent == ()
    usual = {
        name: one.get_default(call_default_factory=True)
        for name, one in Locale.model_fields.items()
        if name in FIELDS and not one.is_required()
    }
    usual["emergency_by_text"] = "Gehörlose und Schwerhörige: 114 per SMS."  # as the how-to has it
    assert {name: getattr(german.locale, name) for name in usual} == usual
    assert {name: getattr(canadian.locale, name) for name in FIELDS} == {name: getattr(FR, name) for name in FIELDS}


def test_a_region_changes_the_shipped_language_alone(install: Install) -> None:
    canadian = languages_of(read(install(languages='"fr-CA"', fr_CA='[labels]\nroad_closure = "Rue barrée"')))["fr-CA"]
    assert (canadian.lent, canadian.locale.months) == ((), FR.months)
    (line,) = wrongs(install(languages='"de-CH"', de=GERMAN, de_CH='[labels]\nroad_closure = "Strasse gesperrt"'))
    assert line.startswith("words/de-CH.toml: lacks ")


def test_a_base_is_a_shipped_language(install: Install) -> None:
    (line,) = wrongs(install(de='base = "eo"\n' + GERMAN))
    assert line == "words/de.toml: base: 'eo' does not lend. Write 'fr' or 'en'."
    (line,) = wrongs(install(fr='base = "en"'))
    assert line.startswith("words/fr.toml: base: what this file leaves out stays as it is shipped.")


def test_an_unreadable_file_is_reported(install: Install, tmp_path: Path) -> None:
    place = install(de="x =")
    assert wrongs(place)[0].startswith(f"languages.de: the file {tmp_path}/words/de.toml is not TOML: ")
    (tmp_path / "words" / "de.toml").write_bytes(b"x = '\xe9'")
    assert wrongs(place) == [f"languages.de: the file {tmp_path}/words/de.toml is not UTF-8; save it as UTF-8."]
    (tmp_path / "words" / "de.toml").unlink()
    (line,) = wrongs(place)
    assert line.startswith(f"languages.de: the file {tmp_path}/words/de.toml cannot be read (No such")


# --- which language answers


def test_a_channel_language_without_texts_is_reported_at_start(install: Install) -> None:
    (line,) = wrongs(install(languages='"fr", "oc"'))
    assert line == (
        "channels.bluesky.languages: there are no phrases for 'oc'. Known here: en, fr. "
        'Add a file: [languages] oc = "words/oc.toml"'
    )
    (line,) = wrongs(install(languages='"de-Latn"', de=GERMAN))
    assert line.startswith("channels.bluesky.languages: there are no phrases for 'de-Latn'. Known here: de, en, fr.")
    read(install(languages='"fr-FR", "en-GB", "de-CH"', de=GERMAN))


@pytest.mark.parametrize(
    ("language", "tags"),
    [
        ("fr", ["fr"]),
        ("fr-FR", ["fr-FR", "fr"]),
        ("es-419", ["es-419", "es"]),
        ("zh-Hant-TW", ["zh-Hant-TW", "zh-Hant"]),
        ("sr-Latn", ["sr-Latn"]),
    ],
)
def test_a_region_gives_way_and_a_script_does_not(language: str, tags: list[str]) -> None:
    assert list(tags_for(language)) == tags
    assert best_match(language, dict.fromkeys(tags[-1:], 1)) == 1
    assert best_match(language, {"xx": 1}) is None


# --- for editors, and what it costs


def test_the_schema_knows_every_field_and_demands_none() -> None:
    form = locale_schema()
    assert set(form["properties"]) >= {*FIELDS, "base", "version", "labels", "hashtags", "severity_hashtags"}
    assert "required" not in form
    assert form["additionalProperties"] is False
    assert form["properties"]["since"]["anyOf"][0] == {"type": "string"}
    assert form["properties"]["months"]["minItems"] == 12
    assert all(form["properties"][name]["description"] for name in (*FIELDS, *NAMES))


@pytest.mark.parametrize("field", FIELDS)
def test_shipped_locales_have_all_required_texts(field: str) -> None:
    for words in LOCALES.values():
        value = getattr(words, field)
        parts = value.model_dump() if isinstance(value, Phrase) else {"": value}
        for part, form in parts.items():
            assert not isinstance(form, str) or phrase_error(path(field, part), form) is None


@pytest.mark.parametrize("form", ["{}", "{0}", "{time.year}", "{time:d}", "{time[now]}", "{time", "time}", "{time}{{}"])
def test_a_name_in_braces_that_cannot_be_filled_in_is_refused(form: str) -> None:
    assert phrase_error("since.today", form) is not None


@pytest.mark.parametrize(
    ("phrases", "read"),
    [
        ('day = "{day} {month}"', "Prochain point 1er juillet à 9h05"),
        ('day = "{month} {day}, {year}"', "Prochain point juillet 1er, 2026 à 9h05"),
        ('first_day = "{day}er jour de"', "Prochain point mercredi 1er jour de juillet à 9h05"),
        ('clock = "{hour:02d} h {minute:02d}"', "Prochain point mercredi 1er juillet à 09 h 05"),
        ('full_hour = "{hour}:{minute:02d}"', "Prochain point mercredi 1er juillet à 9h05"),
        ('mail_footer = "Urgences {{17}}"', "Prochain point mercredi 1er juillet à 9h05"),
    ],
)
def test_names_may_be_left_out_added_and_put_in_another_order(phrases: str, read: str, install: Install) -> None:
    words = locales_of(read_settings(install(fr=phrases), environ={}))["fr"]
    assert words.fill(words.next_update, MOMENTS["first of a month"], NOW, PARIS) == read
    assert words.time(MOMENTS["full hour"], PARIS) == ("8:00" if "full_hour" in phrases else "8h")
    assert "{" not in words.mail_footer.format(sender="x").replace("{17}", "")


def test_settings_without_files_load_nothing_for_them(install: Install) -> None:
    code = (
        "import sys\nfrom policenotify.render.locales import loader\n"
        "from policenotify.settings import profiles_of, read_settings, locales_of\n"
        "reads, read = [], loader.read_locale\n"
        "loader.shipped_locales()\n"
        "loader.read_locale = lambda *args, **kwargs: reads.append(args)\n"
        "settings = read_settings(sys.argv[1], environ={})\nprofiles_of(settings), locales_of(settings)\n"
        "assert not reads and 'regex' not in sys.modules, reads\n"
    )
    subprocess.run([sys.executable, "-c", code, str(install())], check=True)  # noqa: S603 - our own code
    assert locales_of(read(install())) is LOCALES


def test_a_reminder_is_worded_by_its_language_or_the_one_that_lends(install: Install) -> None:
    own = '[reminder]\nlabel = "Wecker"\nheadline = "{incident} {since}"\ndescription = "{number}{headline}{place}"\n'
    settings = read(install(de=f'base = "en"\n{GERMAN}\n{own}', fr='[reminder]\nlabel = "Alarme"'))
    german, french = (locales_of(settings)[tag].reminder for tag in ("de", "fr"))
    assert (german.label, german.instruction) == ("Wecker", "Publish its end or an update.")
    assert french == FR.reminder.model_copy(update={"label": "Alarme"})
    (line,) = wrongs(install(fr='[reminder]\nheadline = "{incident}"'))
    assert line.startswith("words/fr.toml: reminder.headline: must hold {since}, as in 'Incident {incident}, nouvelles")
    assert locales_of(read(install(de=GERMAN)))["de"].reminder == FR.reminder
