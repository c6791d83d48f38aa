"""JSON Schemas of what goes in and out: for editors, and for systems that write messages or read receipts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from pydantic import BaseModel

from policenotify.channel import Post
from policenotify.cli.output import Published
from policenotify.errors import SettingsError
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.model.receipt import Publication, Receipt
from policenotify.networks.options import options_schema
from policenotify.networks.registry import networks
from policenotify.render.locales import CategoryProfile
from policenotify.render.locales.loader import locale_schema
from policenotify.settings import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""The dialect that pydantic writes (*JSON Schema* 2020-12)."""

_ELSEWHERE = [
    {"type": "object", "properties": {key: {"type": "string"}}, "required": [key], "additionalProperties": False}
    for key in ("file", "env")
]  # { file = "…" } and { env = "…" }, as the settings take them for secrets

_ABOUT = frozenset({"title", "description", "default"})


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of that name, one of `SCHEMAS`."""
    return {"$schema": DIALECT, **SCHEMAS[name]()}


def _of(model: type[BaseModel]) -> Callable[[], dict[str, Any]]:
    return model.model_json_schema


def _publication() -> dict[str, Any]:
    """A publication as `--json` shows it: with what a script would else have to work out."""
    made = Publication.model_json_schema()
    more = {
        "stage": {"type": "string", "enum": [str(stage) for stage in Stage]},
        "published": {"type": "string", "enum": list(get_args(Published))},
        "in_order": {"type": "boolean"},
    }
    return {**made, "properties": {**made["properties"], **more}, "required": [*made["required"], *more]}


def _settings() -> dict[str, Any]:
    """The settings file, each channel with the options of its network."""
    made = Settings.model_json_schema()
    kinds = made["$defs"]
    channel = kinds.pop("ChannelSettings")
    channel["properties"].pop("options")
    channel["properties"]["recipients"] = {
        "anyOf": [{"type": "array", "items": {"type": "string"}}, kinds.pop("RecipientSettings")]
    }
    # Seconds, where it is a number or a text of one; `PT20S` is ISO 8601.
    made["properties"]["wait"] = {"default": 20, "title": "Wait", "type": ["number", "string"], "minimum": 0}
    made["properties"]["journal"] = _or_elsewhere(made["properties"]["journal"])
    tables = [_channel(name, options, channel, kinds) for name, options in _networks()]
    _of_each(made["properties"]["channels"], {"anyOf": tables})
    profile = CategoryProfile.model_json_schema()
    kinds.update(profile.pop("$defs", {}))
    profile["properties"].pop("code")
    profile.pop("required", None)  # what is not said stays as shipped
    kinds["CategoryProfile"] = profile
    _of_each(made["properties"]["categories"], {"$ref": "#/$defs/CategoryProfile"})
    return made


def _of_each(tables: dict[str, Any], form: dict[str, Any]) -> None:
    """Give the form of each of some named tables."""
    tables["patternProperties"] = dict.fromkeys(tables["patternProperties"], form)
    tables["additionalProperties"] = False


def _networks() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for network in networks():
        try:
            found.append((network.name, options_schema(network.load())))
        except SettingsError:
            continue  # `policenotify networks` says what is wrong with it
    return found


def _channel(network: str, options: dict[str, Any], channel: dict[str, Any], kinds: dict[str, Any]) -> dict[str, Any]:
    """A channel's table on one network."""
    kinds.update(options.pop("$defs", {}))
    own = {name: _or_elsewhere(option) for name, option in options["properties"].items()}
    return {
        **channel,
        "title": network,
        "properties": {**channel["properties"], **own, "network": {"const": network, "type": "string"}},
        "required": ["network", *options.get("required", [])],
    }


def _or_elsewhere(option: dict[str, Any]) -> dict[str, Any]:
    about = {key: value for key, value in option.items() if key in _ABOUT}
    form = {key: value for key, value in option.items() if key not in _ABOUT}
    return {**about, "anyOf": [form, *_ELSEWHERE]}


SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "message": _of(Message),
    "settings": _settings,
    "language": locale_schema,
    "publication": _publication,
    "receipt": _of(Receipt),
    "post": _of(Post),
}
"""How each schema is made, by its name."""
