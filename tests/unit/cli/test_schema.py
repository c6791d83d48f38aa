"""`schema`: input and output formats for other systems."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from policenotify.model.message import Message
from policenotify.render.locales import LOCALES, template
from policenotify.settings.new_installation import settings_template
from tests.support.installation import Desk
from tests.support.shell import ACCIDENT, Run, with_other


def keeps(value: object, schema: dict[str, Any]) -> bool:
    return Draft202012Validator(schema).is_valid(value)


def _schema(run: Run, name: str) -> dict[str, Any]:
    ran = run("schema", name)
    assert (ran.code, ran.err) == (0, "")
    document: dict[str, Any] = ran.document
    assert run("schema", name, "--json").document == document
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    return document


def test_the_schema_of_a_message_is_that_of_the_model(run: Run) -> None:
    schema = _schema(run, "message")
    assert schema.pop("$schema")
    assert schema == Message.model_json_schema()


def test_the_printed_output_keeps_its_schema(run: Run, desk: Desk) -> None:
    seen = run("preview", *ACCIDENT, "--json").document["posts"][0]["standalone"]
    publication, receipt, post = (_schema(run, name) for name in ("publication", "receipt", "post"))
    desk.mail.refuse_connections()
    [document] = [run("publish", *ACCIDENT, "--wait", "1", "--json").document["publication"]]
    assert keeps(document, publication)
    for one in document["receipts"]:
        assert keeps(one, receipt)
    assert not keeps({**document, "published": "perhaps"}, publication)
    less = {name: value for name, value in document.items() if name != "key"}
    assert not keeps(less, publication)
    assert keeps(seen, post)


@pytest.mark.parametrize("name", ["preview", "status", "doctor"])
def test_an_answer_keeps_its_schema(run: Run, desk: Desk, name: str) -> None:
    desk.bluesky.closed = "suspended"
    run("publish", *ACCIDENT, "--wait", "1")
    schema = _schema(run, name)
    document = run(name, *(with_other("--incident", "2026-4712") if name == "preview" else ()), "--json").document
    assert keeps(document, schema)
    assert set(document) <= set(schema["properties"])


def test_the_schema_of_the_settings(run: Run, desk: Desk) -> None:
    schema = _schema(run, "settings")
    assert keeps(tomllib.loads(settings_template()), schema)
    written = tomllib.loads(desk.write_settings().read_text(encoding="utf-8"))
    assert keeps(written, schema)
    written["journal"] = {"env": "JOURNAL"}
    written["categories"] = {"fire": {"lifetime": "PT2H"}, "river_rescue": {"labels": {"fr": "Sauvetage"}}}
    written["routes"] = [{"to": ["presse"], "at_least": "Severe"}]
    written["audiences"] = {
        "residents": {"csv": "residents.csv", "areas": ["dept:34"]},
        "register": {"function": "desk.people:register"},
    }
    assert keeps(written, schema)
    bluesky = written["channels"]["bluesky"]
    several = [
        {**written, "senders": "x"},
        {**written, "channels": {"bluesky": {**bluesky, "rate": 5}}},
        {**written, "journal": {"files": "x"}},
        {**written, "audiences": {"residents": {"cvs": "residents.csv"}}},
        {**written, "channels": {"blue sky": bluesky}},
    ]
    assert not any(keeps(one, schema) for one in several)


@pytest.mark.parametrize("language", LOCALES)
def test_a_shipped_language_keeps_the_schema_of_languages(run: Run, language: str) -> None:
    schema = _schema(run, "language")
    table = tomllib.loads(template(language))
    assert keeps(table, schema)
    assert keeps({**table, "since": "seit {day}, {time}", "hashtags": {"fire": "Feu"}}, schema)
    assert not keeps({**table, "sinse": "x"}, schema)
    assert not keeps({**table, "months": ["x"]}, schema)
