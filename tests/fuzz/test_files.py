"""Messages, settings, languages, categories and campaigns in any form are read, or refused by our own errors."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from policenotify.campaigns import forecast, load_campaign
from policenotify.model.message import Message, read
from policenotify.render.locales import template
from policenotify.render.locales.loader import shipped_categories
from policenotify.settings import Settings, channels_of, locales_of, profiles_of, read_settings
from policenotify.testing import recording_publisher
from policenotify.testing.strategies import messages
from tests.support.fuzz import damaged, json_texts, mutated, only_ours, toml, values

GOLDEN: Final = Path(__file__).parents[1] / "golden" / "message_v1.json"
MESSAGE: Final = json.loads(GOLDEN.read_text(encoding="utf-8"))
EXAMPLES: Final = Path(__file__).parents[2] / "examples" / "campaigns"

on_each = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


# --- messages


@given(json_texts(MESSAGE) | messages().flatmap(lambda one: json_texts(one.model_dump(mode="json"))))
def test_any_json_is_a_message_or_refused(source: bytes) -> None:
    with only_ours(ValidationError):
        assert_stable(read(source))


def assert_stable(message: Message) -> None:
    """A message that was accepted can be stored, and read again as the same."""
    again = read(message.model_dump_json())
    assert again == message
    assert again.digest() == message.digest()
    assert len(message.digest()) == 64


@given(mutated({name: value for name, value in MESSAGE.items() if name not in {"images", "lifecycle"}}, most=2))
def test_any_message_is_previewed_or_refused(source: Any) -> None:
    if isinstance(source, Mapping):
        with only_ours(ValidationError):
            preview().preview(read(source))


@cache
def preview() -> Any:
    """Return a publisher on all networks. Nothing is published on it, so it serves all examples."""
    return recording_publisher().__enter__().publisher


# --- settings

SECRETS: Final = ("geheim-1234", "pass-5678")
SETTINGS: Final = {
    "schema_version": 1,
    "sender": "Police nationale",
    "zone": "Europe/Paris",
    "journal": "policenotify.db",
    "keys": "policenotify.keys",
    "wait": 20,
    "links": [".gouv.fr"],
    "channels": {
        "bluesky": {
            "network": "bluesky",
            "languages": ["fr"],
            "tags": ["public"],
            "exercise": False,
            "without_opening": "standalone",
            "on_unknown": {"severe": "resend", "minor": "hold"},
            "rate": "30 per 5 min, 15 at once",
            "handle": "police.example",
            "password": SECRETS[0],
        },
        "sms": {
            "network": "sms",
            "sender": "POLICE34",
            "recipients": {"file": "numbers.txt"},
            "url": f"octopush://{{sender}}:login@police.example/{SECRETS[1]}/{{recipient}}",
        },
        "duty": {
            "network": "apprise",
            "url": {"file": "duty"},
        },
    },
    "routes": [{"categories": ["traffic_accident"], "at_least": "Severe", "areas": ["dept:34"], "to": ["public"]}],
    "reminders": {"after": [0, 900], "every": 14400, "to": ["duty"]},
    "categories": {
        "traffic_accident": {"lifetime": "PT2H"},
        "river_rescue": {
            "labels": {"fr": "Sauvetage en rivière", "en": "River rescue"},
            "severity": "Severe",
            "opens_incident": True,
        },
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in {
        "numbers.txt": "+33639980001",
        "duty": "jsons://h.example/alertes",
    }.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    return tmp_path


def use(place: Path, environ: Mapping[str, str]) -> None:
    """Read settings as the commands do."""
    with only_ours(secrets=SECRETS):
        chosen = read_settings(place, environ=environ)
        channels_of(chosen)
        profiles_of(chosen)
        locales_of(chosen)
        repr(chosen)


def test_the_settings_to_be_changed_are_valid(folder: Path) -> None:
    (folder / "policenotify.toml").write_text(toml(SETTINGS), encoding="utf-8")
    assert len(channels_of(read_settings(folder / "policenotify.toml", environ={}))) == 3


@on_each
@given(st.data())
def test_any_settings_are_read_or_refused(folder: Path, data: st.DataObject) -> None:
    content = data.draw(mutated(SETTINGS).map(toml_of) | damaged(toml(SETTINGS).encode()))
    (folder / "policenotify.toml").write_bytes(content)
    use(folder / "policenotify.toml", {})


def toml_of(table: Any) -> bytes:
    return toml(table if isinstance(table, Mapping) else {"a": table}).encode()


# --- languages and categories

FRENCH: Final = tomllib.loads(template("fr"))


@on_each
@given(st.data())
def test_any_language_file_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    (tmp_path / "policenotify.toml").write_text(toml({**SETTINGS, "languages": {"oc": "oc.toml"}}), encoding="utf-8")
    (tmp_path / "oc.toml").write_bytes(data.draw(mutated(FRENCH).map(toml_of) | damaged(template("fr").encode())))
    with only_ours():
        locales_of(Settings.from_table({"sender": "P", "languages": {"oc": "oc.toml"}}, tmp_path / "x"))


CATEGORIES: Final = json.loads(json.dumps(shipped_categories(), default=dict))


@on_each
@given(st.data())
def test_any_category_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    some = mutated(CATEGORIES) | st.dictionaries(st.sampled_from(["fire", "new", ""]), values())
    (tmp_path / "policenotify.toml").write_text(toml({"sender": "P", "categories": data.draw(some)}), encoding="utf-8")
    with only_ours():
        profiles_of(read_settings(tmp_path / "policenotify.toml", environ={}, secrets=False))


# --- campaigns

CAMPAIGNS: Final = [tomllib.loads(file.read_text(encoding="utf-8")) for file in sorted(EXAMPLES.glob("*.toml"))]


@on_each
@given(st.data())
def test_any_campaign_is_forecast_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    table = data.draw(st.sampled_from(CAMPAIGNS))
    (tmp_path / "one.toml").write_bytes(data.draw(mutated(table).map(toml_of) | damaged(toml(table).encode())))
    with only_ours():
        campaign = load_campaign(tmp_path / "one.toml")
        forecast([campaign], campaign.start, campaign.start + timedelta(days=40))
