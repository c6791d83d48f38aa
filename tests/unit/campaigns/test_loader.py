"""Campaign files, and the errors of wrong ones."""

from __future__ import annotations

import re
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from policenotify.campaigns import Campaign, load_campaign, load_campaigns
from policenotify.errors import SettingsError, UnsupportedVersion
from policenotify.model.location import Location
from policenotify.translation import AnyText
from tests.support.campaigns import campaign, tip

FILE = """
name = "ete"
start = 2026-07-01
at = 18:30:00
[message]
category = "burglary_prevention"
location = { department = "34" }
[[messages]]
name = "otv"
headline = "Vous partez en vacances ?"
images = [{ path = "otv.png", alt = "Une maison" }]
[[messages.translations]]
language = "en"
headline = "Going on holiday?"
[[schedule]]
cron = "30 18 * * 2"
[pacing]
spacing = "4h"
"""


def test_a_file_is_the_same_as_typed_python(tmp_path: Path) -> None:
    file = tmp_path / "ete.toml"
    file.write_text(FILE, encoding="utf-8")
    read = load_campaign(file)
    assert (read.start, read.at, read.pacing.spacing) == (date(2026, 7, 1), time(18, 30), timedelta(hours=4))
    [one] = read.messages
    assert one.message.location == Location(department="34")
    assert one.message.images[0].path == tmp_path / "otv.png"
    assert one.message.translations[0].headline == "Going on holiday?"
    assert Campaign.model_validate(read.model_dump()) == read
    assert load_campaigns([tmp_path]) == (read,)
    with pytest.raises(ValidationError, match="an image in JSON is given by its data or its digest"):
        Campaign.model_validate_json(read.model_dump_json())
    file.write_text(re.sub(r"images = .*", "", FILE), encoding="utf-8")
    assert Campaign.model_validate_json(load_campaign(file).model_dump_json()) == load_campaign(file)


def test_a_file_that_others_may_change_is_not_published(tmp_path: Path) -> None:
    file = tmp_path / "ete.toml"
    file.write_text(FILE, encoding="utf-8")
    for mode in (0o602, 0o666):
        file.chmod(mode)
        with pytest.raises(SettingsError, match=f"chmod 600 {file}"):
            load_campaign(file)
    file.chmod(0o664)  # a group writes campaigns together
    load_campaign(file)
    tmp_path.chmod(0o777)
    with pytest.raises(SettingsError, match=f"chmod go-w {tmp_path}"):
        load_campaign(file)
    errors: dict[str, AnyText] = {}
    assert load_campaigns([file], errors=errors) == ()
    assert errors.keys() == {str(file)}


ENDING = {"category": "fire", "headline": "Incendie", "expires_at": "2026-07-26T14:05:00+02:00"}
OPENING = {"category": "fire", "headline": "Incendie", "lifecycle": {"stage": "opening"}}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"end": "2025-01-01"}, "end: lies before start"),
        ({"pacing": {"repeat_after": 7}}, "write a number with its unit"),
        ({"start": 86400}, "write a day"),
        ({"at": "18:00+02:00"}, "without a zone"),
        ({"schedule": [{"cron": "0 9 * * *", "at": "10:00"}]}, "has a time already"),
        ({"schedule": [{"cron": "0 0 9 * * *"}]}, "Wrong number of fields"),
        ({"schedule": [{"event": "public_holidays:99"}]}, "Did you mean 'public_holidays:"),
        ({"excluded": ["weekend"]}, "excluded[0]: 'weekend' is neither a calendar"),
        ({"yields_to": ["ete"]}, "yields_to: 'ete' is this very campaign"),
        ({"grace": "3d"}, "grace: is longer than late_for"),
        ({"excluded": [0]}, "write a day"),
        ({"zone": "Europe/Pris"}, "there is no time zone 'Europe/Pris'"),
        ({"messages": [tip("a"), tip("a")]}, "messages: each name once"),
        ({"messages": [tip("a"), {**tip("a"), "name": "b"}]}, "two alternatives have the same words"),
        ({"messages": [{"name": "a", "message": OPENING}]}, "belongs to no incident"),
        ({"messages": [{"name": "a", "message": ENDING}]}, "has no times of its own"),
        ({"schedule": [{"cron": "0 9 * * *", "event": "Noël"}]}, "exactly one of"),
        ({"schedule": [{"cron": "0 25 * * *"}]}, "is not a cron expression: Bad hour"),
        ({"schedule": [{"cron": "0 9 * * *", "days_before": [1]}]}, "goes with an event"),
        ({"schedule": [{"event": "school_holidays"}]}, "Did you mean 'school_holidays:"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_reported(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as error:
        campaign(**wrong)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (FILE.replace("headline =", "headlin ="), "messages[0].headlin: is not known. Did you mean 'headline'?"),
        (re.sub("images = .*", "images = [3]", FILE), "messages[0].images[0]: "),
        (FILE.replace("[[messages]]\nname", "[[messages]]\nnom"), "messages[0].name: is missing."),
        (FILE.replace("[pacing]", "[pacing"), "is not TOML"),
        ("\udcff", "is not UTF-8"),
        (None, "cannot be read (No such file"),
    ],
)  # fmt: skip
def test_an_error_names_the_file_and_the_field(tmp_path: Path, written: str | None, told: str) -> None:
    file = tmp_path / "ete.toml"
    if written is not None:
        file.write_bytes(written.encode("utf-8", "surrogateescape"))
    with pytest.raises(SettingsError) as error:
        load_campaign(file)
    assert str(file) in str(error.value)
    assert told in str(error.value)


def test_a_newer_file_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="There is no campaign"):
        load_campaigns([tmp_path])
    (tmp_path / "new.toml").write_text("schema_version = 2", encoding="utf-8")
    with pytest.raises(UnsupportedVersion, match=r"This campaign \(.*new\.toml\) has schema version 2"):
        load_campaigns([tmp_path])


def test_the_campaign_of_the_page_is_one(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "howto" / "campaigns.md"
    [written] = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "ete.toml").write_text(written, encoding="utf-8")
    assert [one.name for one in load_campaign(tmp_path / "ete.toml").messages] == ["otv", "cles"]
    fields = set(
        re.findall(r"`\[*([a-z_]+)\]*`", "".join(re.findall(r"^\| ([^|]*) \|", page.read_text("utf-8"), re.MULTILINE)))
    )
    assert set(Campaign.model_fields) - {"schema_version", "name", "messages", "zone", "at"} <= fields
