import errno
import re
import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from policenotify.errors import Blocked, SettingsError, UnsupportedVersion
from policenotify.journal import meta
from policenotify.journal.clock import SystemClock
from policenotify.journal.database.migrate import migrate
from policenotify.journal.keys import Keys
from policenotify.model.cap import Severity
from policenotify.model.channel_settings import BySeverity
from policenotify.publishing.reminders import ReminderPolicy
from policenotify.render.locales import PROFILES
from policenotify.settings import (
    Settings,
    channels_of,
    open_publisher,
    profiles_of,
    read_settings,
    write_settings,
)
from policenotify.settings.new_installation import IGNORED, settings_template
from tests.support.audiences import addresses_of

BASIC = """
schema_version = 1
sender = "Police nationale – Hérault"
[channels.bluesky]
network = "bluesky"
tags = ["public"]
handle = "police.example"
password = { file = "secrets/bluesky" }
[channels.presse-34]
network = "email"
languages = ["fr", "en"]
without_opening = "skip"
url = { env = "MAIL_URL" }
recipients = { file = "presse.txt" }
"""
MAIL_URL = "mailtos://desk:hunter33@police.example?smtp=mx.police.example"
ENVIRON = {"MAIL_URL": MAIL_URL}

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a settings file with the secrets beside it, and return its path."""

    def written(text: str = BASIC, *more: str) -> Path:
        (tmp_path / "secrets").mkdir(exist_ok=True)
        (tmp_path / "secrets" / "bluesky").write_text("hunter22\n")
        (tmp_path / "presse.txt").write_text("# la presse\na@press.example\n\nb#1@press.example  # le journal\n")
        place = tmp_path / "policenotify.toml"
        place.write_text("\n".join([text, *more]))
        return place

    return written


def wrongs(place: Path, environ: dict[str, str] | None = None) -> list[str]:
    """Return the errors of the settings line by line, or else why each channel is blocked."""
    try:
        channels = channels_of(read_settings(place, environ={**ENVIRON, **(environ or {})}))
        lines = [str(channel.blocked) for channel in channels if channel.blocked]
    except SettingsError as error:
        first, *lines = str(error).splitlines()
        assert first == f"The settings {place} are wrong:"
        cause = error.__cause__
        assert cause is None
    assert lines
    assert "hunter" not in str(lines)
    return [line.strip() for line in lines]


def test_a_file_becomes_channels_ready_to_open(write: Write) -> None:
    settings = read_settings(write(), environ=ENVIRON)
    assert settings.sender == "Police nationale – Hérault"
    assert (settings.zone, settings.wait) == (ZoneInfo("Europe/Paris"), timedelta(seconds=20))
    bluesky, press = channels_of(settings)
    assert (bluesky.name, bluesky.network, bluesky.account) == ("bluesky", "bluesky", "police.example@bsky.social")
    assert bluesky.tags == {"public"}
    assert (bluesky.without_opening, bluesky.on_unknown) == ("standalone", BySeverity(severe="resend", minor="hold"))
    assert (press.name, press.languages, press.without_opening) == ("presse-34", ("fr", "en"), "skip")
    assert press.capabilities.recipients


@pytest.mark.parametrize(
    ("written", "unknown", "correction"),
    [
        ("", ("resend", "hold"), ("both", "edit")),
        (
            'on_unknown = { minor = "resend" }\non_correction = { severe = "reply" }',
            ("resend", "resend"),
            ("reply", "edit"),
        ),
        (
            'on_unknown = { severe = "hold", minor = "resend" }\non_correction = { severe = "edit", minor = "both" }',
            ("hold", "resend"),
            ("edit", "both"),
        ),
    ],
)
def test_a_choice_is_for_every_message_or_by_severity(
    write: Write, written: str, unknown: tuple[str, str], correction: tuple[str, str]
) -> None:
    settings = read_settings(write(BASIC.replace('tags = ["public"]', written)), environ=ENVIRON)
    bluesky, _ = channels_of(settings)
    assert tuple(bluesky.on_unknown.choice(severe=severe) for severe in (True, False)) == unknown
    assert tuple(bluesky.on_correction.choice(severe=severe) for severe in (True, False)) == correction
    shown = settings.model_dump(mode="json")["channels"]["bluesky"]
    assert shown["on_unknown"] == dict(zip(("severe", "minor"), unknown, strict=True))


@pytest.mark.parametrize("written", ['"always"', '{ severe = "always" }', '{ sever = "hold" }'])
def test_an_invalid_choice_is_reported_with_the_valid_ones(write: Write, written: str) -> None:
    (line,) = wrongs(write(BASIC.replace('tags = ["public"]', f"on_unknown = {written}")))
    assert line == (
        'channels.bluesky.on_unknown: write "resend" or "hold" for every message, '
        'or { severe = "resend", minor = "hold" }'
    )


@pytest.mark.parametrize("handle", ["", "Préfet de l'Hérault", "https://x.com/Prefet34"])
def test_an_invalid_account_cannot_be_mentioned(write: Write, handle: str) -> None:
    (line,) = wrongs(write(BASIC.replace('tags = ["public"]', f'mentions = ["{handle}"]')))
    assert line.startswith("channels.bluesky.mentions")
    assert f"{handle!r} is not an account; write one such as 'Prefet34', or 'name@server' on Mastodon" in line


def test_recipients_are_read_again_at_each_publication(write: Write, tmp_path: Path) -> None:
    _, press = channels_of(read_settings(write(), environ=ENVIRON))
    assert addresses_of(press) == ("a@press.example", "b#1@press.example")
    (tmp_path / "presse.txt").write_bytes(b"\xef\xbb\xbfc@press.example\r\nc@press.example\r\n")
    assert addresses_of(press) == ("c@press.example",)
    (tmp_path / "presse.txt").unlink()
    with pytest.raises(SettingsError, match=r"channels\.presse-34\.recipients: the file .* cannot be read"):
        addresses_of(press)


def test_recipients_may_be_in_the_file_itself(write: Write) -> None:
    place = write(BASIC.replace('{ file = "presse.txt" }', '["a@press.example"]'))
    settings = read_settings(place, environ=ENVIRON)
    _, press = channels_of(settings)
    assert addresses_of(press) == ("a@press.example",)
    assert "a@press.example" not in repr(settings) + settings.model_dump_json()
    place = write(BASIC.replace('{ file = "presse.txt" }', '"a@press.example"'))
    assert wrongs(place) == ['channels.presse-34.recipients: write a list of addresses, or { file = "…" }']


def test_recipients_have_the_keys_of_an_audience(write: Write, tmp_path: Path) -> None:
    (tmp_path / "presse.csv").write_text("mail\na@press.example\n")
    table = '{ csv = "presse.csv", columns = { address = "mail" } }'
    _, press = channels_of(read_settings(write(BASIC.replace('{ file = "presse.txt" }', table)), environ=ENVIRON))
    assert addresses_of(press) == ("a@press.example",)
    table = '{ function = "builtins:int", language = "fr" }'
    _, press = channels_of(read_settings(write(BASIC.replace('{ file = "presse.txt" }', table)), environ=ENVIRON))
    with pytest.raises(SettingsError, match=r"channels\.presse-34\.recipients: the function failed: TypeError"):
        addresses_of(press)
    for wrong, line in (
        ("{ fiel = 1 }", "channels.presse-34.recipients.fiel: "),
        ('{ file = "a", csv = "b" }', "channels.presse-34.recipients: write one of "),
    ):
        assert wrongs(write(BASIC.replace('{ file = "presse.txt" }', wrong)))[0].startswith(line)


def test_nothing_printed_shows_a_secret(write: Write) -> None:
    place = write('journal = "sqlite:///hunter44.db"' + BASIC)
    settings = read_settings(place, environ=ENVIRON)
    dumped = f"{settings.model_dump()} {settings.model_dump_json()}"
    printed = repr(settings) + str(settings) + repr(channels_of(settings)) + dumped
    assert "hunter" not in printed
    assert settings.journal_url == "sqlite:///hunter44.db"


def test_paths_begin_at_the_settings_file(write: Write, tmp_path: Path) -> None:
    settings = read_settings(write(), environ=ENVIRON)
    assert settings.place == tmp_path / "policenotify.toml"
    assert settings.journal_url == str(tmp_path / "policenotify.db")
    assert settings.keys_path == tmp_path / "policenotify.keys"
    elsewhere = read_settings(write('journal = "/var/lib/j.db"\nkeys = "/etc/k"' + BASIC), environ=ENVIRON)
    assert (elsewhere.journal_url, elsewhere.keys_path) == ("/var/lib/j.db", Path("/etc/k"))


def test_the_file_is_found_by_argument_variable_or_working_directory(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = write()
    monkeypatch.chdir(tmp_path)
    assert read_settings(environ=ENVIRON).place == place
    other = tmp_path / "other.toml"
    other.write_text(BASIC.replace("Hérault", "Gard"))
    named = {**ENVIRON, "POLICENOTIFY_SETTINGS": str(other)}
    assert read_settings(environ=named).sender == "Police nationale – Gard"
    assert read_settings(place, environ=named).sender == "Police nationale – Hérault"
    with pytest.raises(SettingsError, match=r"no settings at .*none\.toml\. Make some \(policenotify init\)"):
        read_settings("none.toml", environ={})


def test_a_file_that_is_not_toml_is_reported_with_its_place(write: Write) -> None:
    with pytest.raises(SettingsError, match=r"is not TOML: .*line 2"):
        read_settings(write("schema_version = 1\nsender = ", ""), environ={})
    for endless in ("[" * 5000, "9" * 5000):
        with pytest.raises(SettingsError, match="is not TOML"):
            read_settings(write(f"a = {endless}", ""), environ={})
    place = write()
    place.write_bytes(b"sender = '\xe9'")
    with pytest.raises(SettingsError, match="not UTF-8"):
        read_settings(place, environ={})
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings(place.parent, environ={})


def test_every_error_is_reported_at_once_with_its_place_and_the_nearest_name(write: Write) -> None:
    text = BASIC.replace("sender =", "sendr =").replace('handle = "police.example"', 'handel = "police.example"')
    text = text.replace('"skip"', '"skipp"').replace('languages = ["fr", "en"]', 'languages = ["français"]')
    lines = wrongs(write('zone = "Europe/Pari"' + text, "[[routes]]", "to = []", "severity = 3"))
    begins = [
        "zone: there is no time zone 'Europe/Pari'",
        "sender: is missing.",
        "sendr: is not known. Did you mean 'sender'?",
        "channels.presse-34.languages[0]: write a text of the form",
        "channels.presse-34.without_opening: write 'standalone' or 'skip'",
        "routes[0].to: must not be empty.",
        "routes[0].severity: is not known. Known here: areas, at_least, categories, to.",
    ]
    assert len(lines) == len(begins)
    for begin in begins:
        assert any(line.startswith(begin) for line in lines), begin


def test_a_missing_secret_is_reported_with_where_to_put_it(write: Write, tmp_path: Path) -> None:
    place = write()
    (tmp_path / "secrets" / "bluesky").unlink()
    place.write_text(place.read_text().replace("MAIL_URL", "NONE"))
    lines = wrongs(place)
    assert lines[0].startswith(
        f"channels.bluesky.password: the file {tmp_path}/secrets/bluesky cannot be read (No such"
    )
    assert lines[1].startswith("channels.presse-34.url: the environment variable NONE is not set.")
    write()
    (tmp_path / "secrets" / "bluesky").write_text("\n")
    assert wrongs(place)[0].endswith("is empty. Write the value into it.")
    (tmp_path / "secrets" / "bluesky").write_bytes(b"hunter\xff")
    assert wrongs(place)[0].endswith("cannot be read (it is not UTF-8). Write the value into it.")


def test_routes_name_channels_tags_and_categories_that_exist(write: Write) -> None:
    good = '[[routes]]\ncategories = ["traffic_accident"]\nat_least = "Severe"\nareas = ["dept:34"]\nto = ["public"]'
    (route,) = read_settings(write(BASIC, good), environ=ENVIRON).routes
    assert (route.categories, route.at_least) == (frozenset({"traffic_accident"}), Severity.SEVERE)
    assert (route.areas, route.to) == (("dept:34",), ("public",))
    (line,) = wrongs(write(BASIC, '[[routes]]\nareas = ["34", "dept:2A", "commune:2A004"]\nto = ["public"]'))
    assert line.startswith("routes[0].areas[0]: '34' is not an area; write one such as 'dept:34'")
    bad = '[[routes]]\ncategories = ["trafic_accident"]\nto = ["publik", "bluesky"]'
    lines = wrongs(write(BASIC, bad))
    assert lines[0].startswith("routes[0].to: there is no 'publik'. Did you mean 'public'?")
    assert lines[1].startswith("routes[0].categories: there is no 'trafic_accident'. Did you mean 'traffic_acc")


def test_reminders_have_times_and_channels_of_their_own(write: Write) -> None:
    said = "[reminders]\nafter = [60, 'PT10M']\nevery = 'PT2H'\nto = 'presse-34'"
    times = (timedelta(minutes=1), timedelta(minutes=10))
    wanted = ReminderPolicy(after=times, every=timedelta(hours=2), to=("presse-34",))
    assert read_settings(write(BASIC, said), environ=ENVIRON).reminders == wanted
    assert wrongs(write(BASIC, "[reminders]\nto = ['pressee-34']", '[[routes]]\nto = ["public"]')) == [
        "reminders.to: there is no 'pressee-34'. Did you mean 'presse-34'? Known here: bluesky, presse-34."
    ]
    assert wrongs(write(BASIC, said, '[[routes]]\nto = ["public", "presse-34"]')) == [
        "routes[0].to: 'presse-34' is a duty channel (reminders.to); it carries nothing else."
    ]
    [line] = wrongs(write(BASIC, "[reminders]\nafter = []"))
    assert line == "reminders: after: give one time or more, each longer than the one before"


def test_categories_are_changed_and_added(write: Write) -> None:
    more = """
    [categories.traffic_accident]
    lifetime = "PT2H"
    labels = { oc = "Accident de rota" }
    [categories.river_rescue]
    labels = { fr = "Sauvetage en rivière" }
    severity = "Severe"
    opens_incident = true
    """
    profiles = profiles_of(read_settings(write(BASIC, more), environ=ENVIRON))
    shipped, changed = PROFILES["traffic_accident"], profiles["traffic_accident"]
    assert changed.lifetime == timedelta(hours=2) != shipped.lifetime
    assert changed.labels == {**shipped.labels, "oc": "Accident de rota"}
    assert (changed.hashtags, changed.severity) == (shipped.hashtags, shipped.severity)
    assert profiles["river_rescue"].severity is Severity.SEVERE
    assert profiles["river_rescue"].code == "river_rescue"
    assert profiles["fire"] == PROFILES["fire"]
    assert set(profiles) == {*PROFILES, "river_rescue"}


def test_a_newer_file_and_an_empty_one_are_refused(write: Write) -> None:
    with pytest.raises(UnsupportedVersion, match="settings file has schema version 2"):
        read_settings(write(BASIC.replace("schema_version = 1", "schema_version = 2"), "of_the_future = 1"), environ={})
    assert wrongs(write("")) == ["sender: is missing.", "channels: is missing."]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_new_installation_needs_nothing_and_publishes_on_its_console(tmp_path: Path, language: str) -> None:
    place = tmp_path / "new"
    written = write_settings(place, language=language)
    names = ["policenotify.keys", "policenotify.toml", "policenotify.db", "secrets", ".gitignore"]
    assert [path.name for path in written] == names
    assert (place / "secrets").stat().st_mode & 0o777 == 0o700
    for name in ("policenotify.keys", "policenotify.db"):
        assert (place / name).stat().st_mode & 0o777 == 0o600
    assert (place / ".gitignore").read_text() == IGNORED
    assert Keys.load(place / "policenotify.keys").version == 1
    (channel,) = channels_of(read_settings(place / "policenotify.toml", environ={}))
    assert (channel.name, channel.network, channel.account) == ("console", "console", "console")


def test_the_template_is_short_and_shows_the_defaults_in_each_language() -> None:
    english, french = (settings_template(language) for language in ("en", "fr"))
    shown = [tomllib.loads(re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE)) for text in (english, french)]
    assert shown[0] == {**shown[1], "language": "en"}
    assert shown[1]["language"] == "fr"
    for text in (english, french):
        assert len(text.splitlines()) <= 40
    comments = [set(re.findall(r"(?:^|\s)# (?!\w+ = )(.+)", text)) for text in (english, french)]
    assert len(comments[0]) == len(comments[1])
    assert comments[0].isdisjoint(comments[1])
    settings = Settings.model_validate({"sender": "x", "channels": {"b": {"network": "console"}}})
    assert shown[0]["zone"] == str(settings.zone)
    assert (shown[0]["journal"], shown[0]["keys"]) == (settings.journal.get_secret_value(), str(settings.keys))


@pytest.mark.parametrize("trouble", [OSError(errno.EIO, "Input/output error", "journal"), KeyboardInterrupt()])
def test_an_attempt_that_fails_half_way_leaves_nothing_that_the_next_one_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: BaseException
) -> None:
    def create(*_: object) -> None:
        assert (tmp_path / "policenotify.keys").exists()  # and the settings; the journal is being made
        raise trouble

    (tmp_path / "policenotify.db-of-may").write_text("precious")
    with monkeypatch.context() as broken:
        broken.setattr(meta, "create", create)
        with pytest.raises((SettingsError, KeyboardInterrupt)):
            write_settings(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"policenotify.db-of-may", "secrets"}
    assert len(write_settings(tmp_path)) == 4


def test_an_attempt_that_is_killed_is_finished_as_the_next_one_names_it(tmp_path: Path) -> None:
    place, keys, journal = (tmp_path / f"policenotify.{end}" for end in ("toml", "keys", "db"))
    write_settings(tmp_path)
    journal.unlink()  # it is made last
    with pytest.raises(SettingsError, match=rf"finish it: policenotify migrate --settings {re.escape(str(place))}\Z"):
        write_settings(tmp_path)
    settings = read_settings(place)
    migrate(settings.journal_url, keys=settings.load_keys())
    with open_publisher(place) as publisher:
        assert list(publisher.installation.channel_configs) == ["console"]
    with pytest.raises(SettingsError, match=r"choose another directory\.\Z"):  # nothing is cut off
        write_settings(tmp_path)
    journal.unlink()
    keys.unlink()
    with pytest.raises(SettingsError, match=rf"delete {re.escape(str(place))}, and run it again\.\Z"):
        write_settings(tmp_path)
    place.unlink()
    assert write_settings(tmp_path) == (keys, place, journal)


@pytest.mark.parametrize("present", ["policenotify.toml", "policenotify.keys", "policenotify.db"])
def test_nothing_is_written_over(tmp_path: Path, present: str) -> None:
    (tmp_path / present).write_text("precious")
    with pytest.raises(SettingsError, match=r"is there already\. Nothing was written"):
        write_settings(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [present]
    assert (tmp_path / present).read_text() == "precious"


def test_a_project_keeps_its_gitignore_and_its_secrets(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.pyc\n")
    (tmp_path / "secrets").mkdir()
    written = write_settings(tmp_path)
    assert [path.name for path in written] == ["policenotify.keys", "policenotify.toml", "policenotify.db"]
    assert (tmp_path / ".gitignore").read_text() == "*.pyc\n"


def test_without_keys_no_publisher_and_no_journal(write: Write, tmp_path: Path) -> None:
    place = write(BASIC.replace('{ env = "MAIL_URL" }', f'"{MAIL_URL}"'))
    with pytest.raises(SettingsError, match="keys file"):
        open_publisher(place)
    assert not (tmp_path / "policenotify.db").exists()


# --- what is wrong with single channels


@pytest.mark.parametrize(
    ("change", "faulty", "told"),
    [
        (('{ file = "secrets/bluesky" }', '{ file = "none" }'), "bluesky", "channels.bluesky.password: the file"),
    ],
)
def test_a_wrong_channel_is_kept_apart(write: Write, change: tuple[str, str], faulty: str, told: str) -> None:
    settings = read_settings(write(BASIC.replace(*change)), environ=ENVIRON)
    assert list(settings.faults) == [faulty]
    assert told in str(settings.faults[faulty])
    usable = {one.name: not one.blocked for one in channels_of(settings)}
    assert usable == {"bluesky": faulty != "bluesky", "presse-34": faulty != "presse-34"}


def test_a_channel_that_cannot_be_used_opens_nothing(write: Write) -> None:
    place = write(BASIC.replace('{ file = "secrets/bluesky" }', '{ file = "none" }'))
    settings = read_settings(place, environ=ENVIRON)
    [wrong] = [one for one in channels_of(settings) if one.blocked]
    with pytest.raises(Blocked, match="the file"):
        wrong.open(SystemClock(), None)  # type: ignore[arg-type]  # it is not looked at
    assert (wrong.account, wrong.tags) == ("police.example@bsky.social", frozenset({"public"}))


NAMED = """
[categories.witness_appeal]
contact = "04 99 13 50 00"
[categories.weather_relay]
source = { fr = "préfecture", en = "prefecture" }
"""


CHANNELS = {"sender": "x", "channels": {"b": {"network": "bluesky"}}}


def test_word_lists_are_changed_with_a_reason() -> None:
    changed = {"insult": {"add": ["olibrius"], "remove": {"parasite": "Mot de nos campagnes."}}}
    assert Settings.model_validate({**CHANNELS, "words": changed}).words["insult"].add == ("olibrius",)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ({"insults": {"add": ["x"]}}, "there is no 'insults'"),
        ({"insult": {"remove": {"parasit": "Mot de nos campagnes."}}}, "there is no 'parasit'"),
    ],
)
def test_a_wrong_change_of_word_lists_is_refused(words: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Settings.model_validate({**CHANNELS, "words": words})


def test_contacts_and_sources_come_from_the_settings(write: Write) -> None:
    settings = read_settings(write(BASIC, NAMED), environ=ENVIRON)
    profiles = profiles_of(settings)
    assert profiles["witness_appeal"].contact_in("en") == "04 99 13 50 00"
    assert profiles["weather_relay"].source_in("en") == "prefecture"
    assert profiles["weather_relay"].source_in("de") == "préfecture"
    assert profiles["fire"].contact_in("fr") == ""


def test_settings_that_cannot_be_looked_at_are_not_called_missing() -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings("x" * 300)


def test_values_keep_their_own_bytes(write: Write) -> None:
    decomposed = "e\u0301cole"
    settings = read_settings(
        write(BASIC.replace("schema_version = 1", f'schema_version = 1\nkeys = "{decomposed}"')), secrets=False
    )
    assert str(settings.keys) == decomposed
