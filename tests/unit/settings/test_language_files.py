"""Languages added by a file, and the completeness of the shipped ones and of the how-to page's."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import create_engine, select

from policenotify.errors import SettingsError
from policenotify.journal.database import schema
from policenotify.model.languages import tags_for
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Translation
from policenotify.render.locales import LOCALES, PROFILES, Locale, best_match, template
from policenotify.render.locales.loader import phrase_error, read_locale
from policenotify.settings import (
    Settings,
    SettingsFile,
    locales_of,
    missing_labels,
    open_publisher,
    profiles_of,
    read_settings,
)
from tests.support.five_networks import AheadClock
from tests.support.installation import Desk, accident, open_desk
from tests.support.patience import LONG

PARIS: Final = ZoneInfo("Europe/Paris")
NOW: Final = datetime(2026, 6, 5, 17, 42, tzinfo=PARIS)
FR, EN = LOCALES["fr"], LOCALES["en"]
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
    return read_locale(words.language, words.model_dump(mode="json", exclude={"version"}))


@pytest.mark.parametrize("words", LOCALES.values(), ids=LOCALES)
def test_a_shipped_language_is_read_as_it_was_written(words: Locale) -> None:
    assert again(words) == words
    assert tomllib.loads(template(words.language))["language"] == words.language


@pytest.mark.parametrize("language", LOCALES)
def test_the_names_of_categories_are_written_too(language: str, install: Install) -> None:
    settings = read(install(**{language: template(language)}))
    assert profiles_of(settings) == PROFILES
    assert locales_of(settings)[language] == LOCALES[language]


# --- complete, in every language


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
    "today": "Nächste Meldung um 18:30 Uhr",
    "full hour": "Nächste Meldung um 8 Uhr",
    "midnight": "Nächste Meldung um Mitternacht",
    "first of a month": "Nächste Meldung am Mittwoch, 1. Juli um 9:05 Uhr",
    "another year": "Nächste Meldung am Freitag, 1. Januar 2027 um 0:15 Uhr",
    "clocks go back": "Nächste Meldung am Sonntag, 25. Oktober um 2:30 Uhr (Winterzeit)",
    "clocks go forward": "Nächste Meldung am Sonntag, 28. März 2027 um 3:30 Uhr",
}


@pytest.mark.parametrize("when", READ)
def test_readers_see_when_the_next_update_follows(when: str, german: Settings) -> None:
    words = locales_of(german)["de"]
    assert words.fill(words.next_update, MOMENTS[when], NOW, PARIS) == READ[when]


def test_the_settings_of_the_page_are_right(install: Install) -> None:
    presse = '[channels.presse]\nnetwork = "email"\nurl = "mailto://desk@police.example"\n'
    place = install(presse + USE.partition("[channels.presse]\n")[2], de=GERMAN, fr=ONLY_SOME)
    assert USE.startswith('[languages]\nde = "words/de.toml"')
    assert tomllib.loads(USE)["languages"] == tomllib.loads(place.read_text(encoding="utf-8"))["languages"]
    assert read(place).channels["presse"].languages == ("fr", "de")


# --- a message in German, on all stages


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
    assert not [mark for mark in (*FR.marks.values(), *EN.marks.values(), *FR.weekdays) if mark in other.text]
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
        'mail_link = "Mehr dazu"': 'mail_link = "Mehr\\u0007 dazu"',
        'arrest = "Festnahme"': 'arrest = "Fest\\u0007nahme"',
        'dash = " – "': 'dash = " –\\n"',
        'mail_action = "Was Sie tun sollen"': "mail_action = 1",
    }
    broken = GERMAN
    for old, new in changes.items():
        assert old in broken
        broken = broken.replace(old, new)
    lines = wrongs(install(de=broken))
    begins = [
        "labels.fyre: there is no such category. Did you mean 'fire'?",
        'lacks weekdays[6], since. Write them, or name a language that lends them: base = "en"',
        "sinse: is not known. Did you mean 'since'?",
        "until.other_day: {dy} is not filled in here. Did you mean 'day'? Known here: day, time.",
        "clock: must hold {minute:02d}, as in '{hour}h{minute:02d}' or '{hour}:{minute:02d}'.",
        "reference: cannot be filled in (expected '}' before end of string). A brace for readers is written twice.",
        "marks.end: must not be empty.",
        "feed.end: must not be empty.",
        "hashtags.fact_check[0]: 'Amtliche-Info' is not a hashtag; write 'AmtlicheInfo'",
        "mail_link: character 5 is U+0007, which nobody can read: remove it",
        "labels.arrest: character 5 is U+0007, which nobody can read: remove it",
        "dash: write a text of the form '^.+$'",
        "mail_action: write a text",
    ]
    for begin in begins:
        assert any(line.startswith(f"words/de.toml: {begin}") for line in lines), begin
    assert len(lines) == len(begins)


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ('since = { today = ["depuis {time}"], other_day = "le {day} à {time}" }', "since.today"),
        ('more = { today = "Plus" }', "more"),
        ('reminder = { headline = ["Rappel"] }', "reminder.headline"),
    ],
)
def test_a_value_of_another_form_is_an_error_with_its_place(line: str, at: str, install: Install) -> None:
    (error,) = wrongs(install(fr=line))
    assert error.startswith(f"words/fr.toml: {at}: write a ")


def test_a_language_of_its_own_that_lacks_a_phrase_is_refused_by_name(install: Install) -> None:
    without = "\n".join(line for line in GERMAN.splitlines() if not line.startswith("until ="))
    (line,) = wrongs(install(de=without))
    assert line == 'words/de.toml: lacks until. Write them, or name a language that lends them: base = "en"'


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


def test_a_shipped_language_is_changed_in_part(install: Install) -> None:
    settings = read(install(fr=ONLY_SOME))
    changed, fire = locales_of(settings)["fr"], profiles_of(settings)["fire"]
    assert changed.mail_emergency.endswith("04 99 13 50 00.")
    same = {name: getattr(FR, name) for name in ("mail_emergency", "version", "labels", "hashtags")}
    assert changed.model_copy(update=same) == FR
    assert changed.version != FR.version
    assert (fire.label("fr"), fire.hashtag("fr"), fire.label("en")) == ("Feu", "Feu", "Fire")
    assert profiles_of(settings)["arrest"] == PROFILES["arrest"]
    assert locales_of(settings)["en"] == EN
    only_label = profiles_of(read(install(fr='[labels]\nfire = "Feu"\n[marks]\nend = "FINI"')))["fire"]
    assert (only_label.label("fr"), only_label.hashtag("fr")) == ("Feu", "Incendie")
    assert locales_of(read(install(fr='[marks]\nend = "FINI"')))["fr"].marks == {**FR.marks, Stage.END: "FINI"}


def test_the_names_by_severity_are_a_table(install: Install) -> None:
    place = install("[categories.weather_relay]", 'severity_labels = "rouge"')
    with pytest.raises(SettingsError, match="severity_labels"):
        profiles_of(read(place))


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


def test_a_base_language_lends_missing_texts(install: Install) -> None:
    part = 'base = "en"\n' + "\n".join(
        line for line in GERMAN.splitlines() if not line.startswith(("since", "end =", "fire ="))
    )
    settings = read(install(de=part))
    german, profiles = locales_of(settings)["de"], profiles_of(settings)
    assert (german.since, german.marks[Stage.END]) == (EN.since, "OVER")
    assert (profiles["fire"].label("de"), profiles["fire"].hashtag("de")) == ("Fire", "Fire")


def test_a_region_changes_the_shipped_language_alone(install: Install) -> None:
    canadian = locales_of(read(install(languages='"fr-CA"', fr_CA='[labels]\nroad_closure = "Rue barrée"')))["fr-CA"]
    assert canadian.months == FR.months
    (line,) = wrongs(install(languages='"de-CH"', de=GERMAN, de_CH='[labels]\nroad_closure = "Strasse gesperrt"'))
    assert line.startswith("words/de-CH.toml: lacks ")


def test_a_base_is_a_shipped_language(install: Install) -> None:
    (line,) = wrongs(install(de='base = "eo"\n' + GERMAN))
    assert line == "words/de.toml: base: 'eo' does not lend. Write 'fr' or 'en'."
    (line,) = wrongs(install(fr='base = "en"'))
    assert line.startswith("words/fr.toml: base: what this file leaves out stays as it is shipped.")


# --- which language answers


def test_a_channel_language_without_texts_is_reported_at_start(install: Install) -> None:
    (line,) = wrongs(install(languages='"fr", "oc"'))
    assert line == (
        "channels.bluesky.languages: there is no 'oc'. Known here: en, fr. "
        'Add a file: [languages] oc = "words/oc.toml"'
    )
    (line,) = wrongs(install(languages='"de-Latn"', de=GERMAN))
    assert line.startswith("channels.bluesky.languages: there is no 'de-Latn'. Known here: de, en, fr.")
    read(install(languages='"fr-FR", "en-GB", "de-CH"', de=GERMAN))


@pytest.mark.parametrize(
    ("language", "tags"),
    [
        ("fr-FR", ["fr-FR", "fr"]),
        ("zh-Hant-TW", ["zh-Hant-TW", "zh-Hant"]),
        ("sr-Latn", ["sr-Latn"]),
    ],
)
def test_a_region_gives_way_and_a_script_does_not(language: str, tags: list[str]) -> None:
    assert list(tags_for(language)) == tags
    assert best_match(language, dict.fromkeys(tags[-1:], 1)) == 1
    assert best_match(language, {"xx": 1}) is None


# --- for editors, and what it costs


@pytest.mark.parametrize("form", ["{}", "{0}", "{time.year}", "{time:d}", "{time[now]}", "{time", "time}", "{time}{{}"])
def test_a_name_in_braces_that_cannot_be_filled_in_is_refused(form: str) -> None:
    assert phrase_error("since.today", form) is not None


def test_a_reminder_is_worded_by_its_language_or_the_one_that_lends(install: Install) -> None:
    own = '[reminder]\nlabel = "Wecker"\nheadline = "{incident} {since}"\ndescription = "{number}{headline}{place}"\n'
    settings = read(install(de=f'base = "en"\n{GERMAN}\n{own}', fr='[reminder]\nlabel = "Alarme"'))
    german, french = (locales_of(settings)[tag].reminder for tag in ("de", "fr"))
    assert (german.label, german.instruction) == ("Wecker", "Publish its end or an update.")
    assert french == FR.reminder.model_copy(update={"label": "Alarme"})
    (line,) = wrongs(install(fr='[reminder]\nheadline = "{incident}"'))
    assert line.startswith("words/fr.toml: reminder.headline: must hold {since}, as in 'Incident {incident}, nouvelles")
    assert locales_of(read(install(de=GERMAN)))["de"].reminder == FR.reminder


def test_an_unreadable_file_is_reported(install: Install, tmp_path: Path) -> None:
    place = install(de="x =")
    assert wrongs(place)[0].startswith(f"words/de.toml: The file {tmp_path}/words/de.toml is not TOML: ")
    (tmp_path / "words" / "de.toml").write_bytes(b"x = '\xe9'")
    assert wrongs(place) == [f"words/de.toml: The file {tmp_path}/words/de.toml is not UTF-8; save it as UTF-8."]
    (tmp_path / "words" / "de.toml").unlink()
    (line,) = wrongs(place)
    assert line.startswith(f"words/de.toml: The file {tmp_path}/words/de.toml cannot be read (No such")
