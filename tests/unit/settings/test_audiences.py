"""The tables of audiences in the settings."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from policenotify.audiences.model import Row, Subscriber
from policenotify.channel import ChannelConfig
from policenotify.errors import SettingsError
from policenotify.model.cap import Severity
from policenotify.publishing.routing import shared_accounts
from policenotify.settings import SettingsFile, channels_of, read_settings
from policenotify.settings.audiences import KINDS, AudienceSettings

BASIC = """
sender = "Police nationale"
[channels.press]
network = "email"
languages = ["fr", "en"]
url = "mailtos://desk:hunter33@police.example?smtp=mx.police.example"
"""

SOURCES = ", ".join(KINDS)
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a settings file with an audience `people` for its channel, and return its path."""

    def written(table: str, channel: str = 'audiences = ["people"]', more: str = "") -> Path:
        place = tmp_path / "policenotify.toml"
        place.write_text(f"{BASIC}{channel}\n{more}\n[audiences.people]\n{table}\n", encoding="utf-8")
        place.chmod(0o600)
        return place

    return written


def rows(place: Path, **environ: str) -> list[Row]:
    [channel] = channels_of(read_settings(place, environ=environ))
    return [row for audience in channel.audiences for row in audience.rows()]


def addresses(place: Path, **environ: str) -> list[str]:
    return [
        row.address if isinstance(row, Subscriber) else f"{row.line}: {row.reason}" for row in rows(place, **environ)
    ]


def wrongs(place: Path, **environ: str) -> list[str]:
    try:
        [channel] = channels_of(read_settings(place, environ=environ))
    except SettingsError as error:
        return [line.strip() for line in str(error).splitlines()[1:]]
    return [str(channel.blocked)]


def test_a_text_file(write: Write, tmp_path: Path) -> None:
    (tmp_path / "people.txt").write_text("A@Press.example\nMairie\n")
    place = write('file = "people.txt"')
    assert addresses(place) == ["A@press.example", "2: address: is neither a mail address nor a telephone number."]
    assert addresses(write('file = "people.txt"\nchecked = false'))[1] == "mairie"


def test_a_table_with_defaults(write: Write, tmp_path: Path) -> None:
    content = (
        "Courriel;language;areas;categories;consent_at\na@press.example\nb@press.example;en;dept:30;arrest;14/03/2026\n"
    )
    (tmp_path / "people.csv").write_text(content)
    place = write("""
csv = "people.csv"
columns = { address = "Courriel" }
language = "fr"
areas = ["commune:34172"]
categories = ["fire"]
at_least = "Severe"
purpose = "recruitment"
""")
    first, second = rows(place)
    assert isinstance(first, Subscriber)
    assert isinstance(second, Subscriber)
    assert (first.language, first.areas, set(first.categories), first.severity) == (
        "fr", ("commune:34172",), {"fire"}, Severity.SEVERE
    )  # fmt: skip
    assert (second.language, second.areas, set(second.categories)) == ("en", ("dept:30",), {"arrest"})
    assert second.consent
    assert second.consent.purpose == "recruitment"


def test_categories_are_those_of_the_installation(write: Write, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("address;categories\na@press.example;flood\n")
    more = '[categories.flood]\nlabels = { fr = "Inondation" }'
    assert addresses(write('csv = "people.csv"'))[0].startswith("2: categories: 'flood' is not a category here.")
    assert addresses(write('csv = "people.csv"', more=more)) == ["a@press.example"]


def test_addresses_in_the_settings(write: Write) -> None:
    place = write('addresses = ["a@press.example"]')
    settings = read_settings(place, environ={})
    assert addresses(place) == ["a@press.example"]
    assert "a@press.example" not in repr(settings) + settings.model_dump_json()
    assert addresses(write("addresses = []")) == []


def test_a_function(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "police_directory.py").write_text('def people():\n    yield "a@press.example"\n')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "police_directory", raising=False)
    assert addresses(write('function = "police_directory:people"')) == ["a@press.example"]
    for target in ("police_directory:nobody", "nowhere:people"):
        [line] = wrongs(write(f'function = "{target}"'))
        assert line.startswith(f"audiences.people.function: '{target}' cannot be imported (")


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ("", f"audiences.people: write one of {SOURCES}"),
        ('file = "a"\ncsv = "b"', f"audiences.people: write one of {SOURCES}, not file and csv"),
        ('file = "a"\ncolumns = { address = "x" }', "audiences.people: columns is for csv only"),
        ('csv = "a"\ncolumns = { adress = "x" }', ("audiences.people: columns: 'adress' is not known. "
         "Did you mean 'address'?")),

        ('file = "a"\nareas = ["34172"]', "audiences.people.areas[0]: '34172' is not an area"),
    ],
)  # fmt: skip
def test_wrong_tables(write: Write, table: str, line: str) -> None:
    place = write(table)
    assert wrongs(place)[0].startswith(line)


@pytest.mark.parametrize(
    ("channel", "line"),
    [
        ('audiences = ["peopel"]', "channels.press.audiences: there is no 'peopel'. Did you mean 'people'?"),
        ('audiences = ["people"]\nrecipients = []', "channels.press: write recipients or audiences, not both"),
        ('audiences = ["people"]\nmost_cost = 5.0', "channels.press: most_cost needs a price"),
        ('audiences = ["people"]\nmost_people = 0', "channels.press.most_people: write a number greater than 0"),
    ],
)
def test_wrong_channels(write: Write, channel: str, line: str) -> None:
    place = write('addresses = ["a@press.example"]', channel)
    assert wrongs(place)[0].startswith(line)


def test_a_list_is_read_at_each_publication_only(write: Write) -> None:
    place = write('file = "none.txt"')
    [channel] = channels_of(read_settings(place, environ={}))
    assert str(channel.blocked) == ""
    with pytest.raises(SettingsError, match=r"audiences\.people: the file .* cannot be read"):
        addresses(place)


TWIN = BASIC.replace("channels.press", "channels.twin").partition('"\n')[2]


def twins(write: Write, first: str, second: str) -> tuple[ChannelConfig, ...]:
    more = f"{TWIN}{second}\n[audiences.others]\naddresses = []"
    return channels_of(read_settings(write("addresses = []", first, more), environ={}))


def test_two_channels_of_one_account_need_other_audiences(write: Write) -> None:
    press, twin = twins(write, 'audiences = ["people"]', 'audiences = ["others"]')
    assert press.account == twin.account
    for others in ('audiences = ["others"]', 'audiences = ["others", "people"]', "recipients = []"):
        assert shared_accounts(twins(write, 'audiences = ["people"]', others)) == ""
    channels = twins(write, 'audiences = ["people", "others"]', 'audiences = ["others", "people"]')
    assert re.search(r"the same account of 'email'.*other audiences", str(shared_accounts(channels)))


# --- who may read the files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if AudienceSettings.model_fields[kind].annotation == Path | None]
)
def test_lists_that_others_may_read(write: Write, tmp_path: Path, kind: str) -> None:
    (tmp_path / "people").write_text("address\na@press.example\n")
    (tmp_path / "people").chmod(0o644)
    examined = SettingsFile(write("addresses = []", f'recipients = {{ {kind} = "people" }}'))
    assert [str(line.check) for line in examined.examine() if "chmod 600" in str(line.detail)] == ["file people"]
    write(f'{kind} = "people"')
    assert [str(line.check) for line in examined.examine() if "chmod 600" in str(line.detail)] == ["file people"]
    (tmp_path / "people").chmod(0o640)
    assert not [line for line in examined.examine() if "chmod 600" in str(line.detail)]
