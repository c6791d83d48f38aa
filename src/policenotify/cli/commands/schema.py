"""`policenotify schema`: JSON Schemas of messages, settings and results."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import click
from pydantic import TypeAdapter

from policenotify.cli.commands.preview import PreviewAnswer
from policenotify.cli.context import CliContext, command
from policenotify.cli.documents import json_text
from policenotify.cli.words import Word
from policenotify.model.draft import Draft
from policenotify.model.message import Message
from policenotify.model.post import Post
from policenotify.model.receipt import Publication, Receipt
from policenotify.model.status import Diagnosis, InstallationStatus
from policenotify.render.locales.loader import locale_schema
from policenotify.settings import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""The dialect that pydantic writes (*JSON Schema* 2020-12)."""

_ELSEWHERE = [
    {"type": "object", "properties": {key: {"type": "string"}}, "required": [key], "additionalProperties": False}
    for key in ("file", "env")
]  # { file = "…" } and { env = "…" }, as the settings accept them for the journal

_NULL = {"type": "null"}


def _settings() -> dict[str, Any]:
    """Return the schema of the settings. A channel may have any option: `policenotify doctor` checks them."""
    schema = Settings.model_json_schema()
    schema["properties"]["wait"] = {"default": 20, "title": "Wait", "type": ["number", "string"], "minimum": 0}
    schema["properties"]["journal"] = {"title": "Journal", "anyOf": [{"type": "string"}, *_ELSEWHERE]}
    schema["properties"]["channels"]["additionalProperties"] = False
    channel = schema["$defs"]["ChannelTable"]
    channel["properties"].pop("options")
    channel["properties"]["recipients"]["anyOf"].append({"type": "array", "items": {"type": "string"}})
    channel["additionalProperties"] = True
    return schema


def _answer(model: type) -> dict[str, Any]:
    """Return the schema of a domain object as a command prints it: without the fields that have no value."""
    schema = TypeAdapter[object](model).json_schema(mode="serialization")
    for each in (schema, *schema.get("$defs", {}).values()):
        optional = {name for name, field in each.get("properties", {}).items() if _NULL in field.get("anyOf", ())}
        each["required"] = [name for name in each.get("required", ()) if name not in optional]
    return schema


_ANSWERS: dict[str, type] = {
    "publication": Publication,
    "receipt": Receipt,
    "post": Post,
    "preview": PreviewAnswer,
    "status": InstallationStatus,
    "draft": Draft,
    "doctor": Diagnosis,
}

SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "message": Message.model_json_schema,
    "settings": _settings,
    "language": locale_schema,
    **{name: partial(_answer, model) for name, model in _ANSWERS.items()},
}
"""Functions that make the schemas, by name."""


@command("schema", exits="1 not printed")
@click.argument("name", type=Word(SCHEMAS), metavar="NAME")
def schema(call: CliContext, name: str) -> None:
    """Print a JSON Schema (2020-12), for editors and for other systems.

    \b
    Names:
      message      a message file, as publish and preview read it
      settings     policenotify.toml, with any option in a channel
      language     a file of [languages]: the fixed phrases of a language
      publication  a publication, as --json shows it
      receipt      its receipt on one channel
      post         the wording on one channel, as preview --json shows it
      preview, status, draft, doctor  the --json answer of that command

    \b
    Examples:
      policenotify schema message > message.schema.json
      policenotify schema settings
    """
    document = {"$schema": DIALECT, **SCHEMAS[name]()}
    call.answer(document, json_text(document) + "\n")
