"""`schema`: input and output formats for other systems."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest

from policenotify.model.message import Message
from policenotify.render.locales import LOCALES, template
from policenotify.settings.new_installation import settings_template
from tests.support.installation import Desk
from tests.support.shell import ACCIDENT, Run, with_other

JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
    "null": type(None),
}  # fmt: skip


def wrong(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str = "") -> list[str]:
    """Return the violations of a schema: the keywords that pydantic writes, of JSON Schema 2020-12."""
    if "$ref" in schema:
        return wrong(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, at)
    if "anyOf" in schema and not any(not wrong(value, one, root, at) for one in schema["anyOf"]):
        return [f"{at}: none of anyOf"]
    kinds = schema.get("type", [])
    if kinds and not any(
        isinstance(value, JSON_TYPES[kind]) for kind in ([kinds] if isinstance(kinds, str) else kinds)
    ):
        return [f"{at}: is no {kinds}"]
    found = [f"{at}: not in enum"] if "enum" in schema and value not in schema["enum"] else []
    found += [f"{at}: not const"] if "const" in schema and value != schema["const"] else []
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        found.append(f"{at}: does not match")
    if isinstance(value, list):
        found += [f"{at}: too few"] if len(value) < schema.get("minItems", 0) else []
        for number, one in enumerate(value):
            found += wrong(one, schema.get("items", {}), root, f"{at}[{number}]")
    if isinstance(value, dict):
        found += [f"{at}.{name}: is missing" for name in schema.get("required", ()) if name not in value]
        for name, one in value.items():
            patterns = schema.get("patternProperties", {})
            fits = (about for pattern, about in patterns.items() if re.search(pattern, name))
            rest = next(fits, schema.get("additionalProperties", True))
            about = schema.get("properties", {}).get(name, rest)
            found += [f"{at}.{name}: is not known"] if about is False else []
            found += wrong(one, about, root, f"{at}.{name}") if isinstance(about, dict) else []
    return found


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
    seen = run("preview", *ACCIDENT, "--json").document["posts"][0]["wordings"][0]["post"]
    publication, receipt, post = (_schema(run, name) for name in ("publication", "receipt", "post"))
    desk.mail.refuse_connections()
    [document] = [run("publish", *ACCIDENT, "--wait", "1", "--json").document["publication"]]
    assert wrong(document, publication, publication) == []
    for one in document["receipts"]:
        assert wrong(one, receipt, receipt) == []
    assert wrong({**document, "published": "perhaps"}, publication, publication) == [".published: not in enum"]
    less = {name: value for name, value in document.items() if name != "key"}
    assert wrong(less, publication, publication) == [".key: is missing"]
    assert wrong(seen, post, post) == []


@pytest.mark.parametrize("name", ["preview", "status", "incidents", "drain", "doctor"])
def test_an_answer_keeps_its_schema(run: Run, desk: Desk, name: str) -> None:
    desk.bluesky.closed = "suspended"
    run("publish", *ACCIDENT, "--wait", "1")
    schema = _schema(run, name)
    document = run(name, *(with_other("--incident", "2026-4712") if name == "preview" else ()), "--json").document
    assert wrong(document, schema, schema) == []
    assert set(document) <= set(schema["properties"])


def test_the_schema_of_the_settings_knows_the_options_of_each_network(run: Run, desk: Desk) -> None:
    schema = _schema(run, "settings")
    assert wrong(tomllib.loads(settings_template()), schema, schema) == []
    written = tomllib.loads(desk.write_settings().read_text(encoding="utf-8"))
    assert wrong(written, schema, schema) == []
    written["journal"] = {"env": "JOURNAL"}
    written["categories"] = {"fire": {"lifetime": "PT2H"}, "river_rescue": {"labels": {"fr": "Sauvetage"}}}
    written["routes"] = [{"to": ["presse"], "at_least": "Severe"}]
    written["audiences"] = {
        "residents": {"csv": "residents.csv", "areas": ["dept:34"]},
        "register": {"function": "desk.people:register"},
    }
    assert wrong(written, schema, schema) == []
    bluesky = written["channels"]["bluesky"]
    handel = {"bluesky": {**bluesky, "handel": "x"}}
    assert wrong({**written, "channels": handel}, schema, schema) == [".channels.bluesky: none of anyOf"]
    several = [
        {**written, "senders": "x"},
        {**written, "categories": {"fire": {"life": "PT2H"}}},
        {**written, "channels": {"bluesky": {"network": "bluesky"}}},
        {**written, "journal": {"files": "x"}},
        {**written, "audiences": {"residents": {"cvs": "residents.csv"}}},
        {**written, "channels": {"blue sky": bluesky}},
    ]
    assert all(wrong(one, schema, schema) for one in several)
    named = set(re.findall(r'"#/\$defs/(\w+)"', json.dumps(schema)))
    assert named <= set(schema["$defs"])


@pytest.mark.usefixtures("pigeon_network")
def test_the_schema_of_the_settings_knows_third_party_networks_and_skips_what_does_not_load(run: Run) -> None:
    schema = _schema(run, "settings")
    [tables] = schema["properties"]["channels"]["patternProperties"].values()
    named = {table["title"] for table in tables["anyOf"]}
    assert {"bluesky", "email", "owl", "pigeon"} <= named
    assert "magpie" not in named


def test_an_unknown_schema_is_met_with_the_nearest(run: Run) -> None:
    ran = run("schema", "mesage")
    assert ran.code == 2
    assert "Did you mean 'message'?" in ran.err


@pytest.mark.usefixtures("desk")
def test_a_severity_is_met_with_the_nearest(run: Run) -> None:
    ran = run("publish", *ACCIDENT, "--severity", "Svere")
    assert ran.code == 2
    assert "Did you mean 'Severe'?" in ran.err


@pytest.mark.parametrize("language", LOCALES)
def test_a_shipped_language_keeps_the_schema_of_languages(run: Run, language: str) -> None:
    schema = _schema(run, "language")
    table = tomllib.loads(template(language))
    assert wrong(table, schema, schema) == []
    assert wrong({**table, "since": "seit {day}, {time}", "hashtags": {"fire": "Feu"}}, schema, schema) == []
    assert wrong({**table, "sinse": "x"}, schema, schema) == [".sinse: is not known"]
    assert wrong({**table, "months": ["x"]}, schema, schema) == [".months: too few"]
