"""Write the generated parts of the reference: every key of the settings, and the codes of all findings.

Below its marker each page is written from the code. `--check` compares instead, and exits with 1 if a page is old.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from inspect import getdoc
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, TypeAdapter
from pydantic_core import to_jsonable_python

from policenotify.checks import CHECKS
from policenotify.render.locales import CategoryProfile
from policenotify.settings.model import ChannelSettings, RecipientSettings, ReminderSettings, RouteSettings, Settings

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
BEGIN = "<!-- what follows is written by: python .ci/build_reference.py -->\n"

TABLES: tuple[tuple[str, str, type[Any], str], ...] = (
    ("Top level", "", Settings, "POLICENOTIFY_{}"),
    ("`[channels.NAME]`", "Each network has further options: see [Networks](networks.md).", ChannelSettings,
     "POLICENOTIFY_CHANNELS__NAME__{}"),
    ("`recipients` of a channel", "A list of addresses, or a table with one of these keys.", RecipientSettings, ""),
    ("`[[routes]]`", "Every route that fits adds its channels. Without routes every message goes to every channel.",
     RouteSettings, ""),
    ("`[reminders]`", "", ReminderSettings, "POLICENOTIFY_REMINDERS__{}"),
    ("`[categories.CODE]`", "A key that is left out keeps its shipped value. A new category needs `labels`.",
     CategoryProfile, ""),
)  # fmt: skip
EXAMPLES: Mapping[str, str] = {
    "sender": '`"Police nationale"`',
    "zone": '`"Europe/Paris"`',
    "journal": '`"/var/lib/policenotify/journal.db"`, `{ file = "secrets/journal-url" }`',
    "keys": '`"policenotify.keys"`',
    "wait": '`20`, `"PT20S"`',
    "languages": '`["fr", "en"]`',
    "Settings.languages": '`de = "words/de.toml"`',
    "Settings.categories": '`[categories.fire]`, then `lifetime = "PT2H"`',
    "tags": '`["public"]`',
    "mentions": '`["Prefet34"]`',
    "recipients": '`["desk@police.example"]`, `{ file = "secrets/press.txt" }`',
    "rate": '`"30 per 5 min, 15 at once"`',
    "categories": '`["traffic_accident", "fire"]`',
    "at_least": '`"Severe"`',
    "areas": '`["commune:34172", "epci:243400017", "dept:34"]`',
    "to": '`["public", "press"]`',
    "ReminderSettings.to": '`["duty"]`',
    "after": "`[0, 900, 3600]`",
    "every": "`14400`",
    "labels": '`{ fr = "Sauvetage en rivière" }`',
    "lifetime": '`"PT3H"`',
    "precision": '`"street"`',
}

_TYPES: Mapping[str, str] = {
    "boolean": "`true` or `false`",
    "duration": "time span, in seconds or as `PT30M`",
    "integer": "whole number",
    "number": "number",
    "object": "table",
    "password": "secret text",
    "path": "path",
}


def main() -> int:
    """Write or compare the pages."""
    check, old = "--check" in sys.argv[1:], []
    for name, lines in {"settings.md": _settings(), "checks.md": _checks()}.items():
        page = REFERENCE / name
        before = page.read_text("utf-8")
        after = before.partition(BEGIN)[0] + BEGIN + "\n".join(lines) + "\n"
        if after != before:
            old.append(name)
            if not check:
                page.write_text(after, "utf-8")
    if check and old:
        print(f"Old: {', '.join(old)}. Run: python .ci/build_reference.py")
    return int(check and bool(old))


def _settings() -> Iterator[str]:
    for title, about, model, variable in TABLES:
        yield from ("", f"## {title}", *(("", about) if about else ()), "")
        yield from _row("key", "is", "default", "environment variable" if variable else "", "meaning")
        schema, defaults = TypeAdapter(model).json_schema(), _defaults(model)
        for key, meaning in _meanings(model).items():
            if (shown := schema["properties"].get(key)) is None or key == "code":
                continue
            default = _written(defaults[key]) if key in defaults else "**required**"
            example = EXAMPLES.get(f"{model.__name__}.{key}") or EXAMPLES.get(key, "")
            name = f"`{variable.format(key.upper())}`" if variable else ""
            yield from _row(
                f"`{key}`",
                _type(shown, schema),
                default,
                name,
                f"{meaning} Example: {example}." if example else meaning,
                head=False,
            )


def _defaults(model: type[Any]) -> dict[str, object]:
    """The value of each key that may be left out."""
    if issubclass(model, BaseModel):
        fields = model.model_fields.items()
        return {name: field.get_default(call_default_factory=True) for name, field in fields if not field.is_required()}
    missing, found = dataclasses.MISSING, {}
    for field in dataclasses.fields(model):
        if field.default is not missing:
            found[field.name] = field.default
        elif field.default_factory is not missing:
            found[field.name] = field.default_factory()
    return found


def _checks() -> Iterator[str]:
    yield from ("", *_row("code", "rule", "rests on"))
    for check in CHECKS:
        yield from _row(f"`{check.code}`", check.title, check.basis, head=False)


def _row(*cells: str, head: bool = True) -> Iterator[str]:
    yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    if head:
        yield "|---" * len(cells) + "|"


def _meanings(model: type[Any]) -> dict[str, str]:
    """What the docstring says of each attribute."""
    _, _, attributes = (getdoc(model) or "").partition("Attributes:\n")
    parts = re.split(r"^ {4}(\w+): ", attributes, flags=re.MULTILINE)[1:]
    plain = (re.sub(r"\[([^]]*)\]\[[^]]*\]", r"\1", " ".join(text.split())) for text in parts[1::2])
    return dict(zip_longest(parts[::2], plain, fillvalue=""))


def _type(shown: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "$ref" in shown:
        shown = schema["$defs"][shown["$ref"].rpartition("/")[2]]
    if "anyOf" in shown:
        return " or ".join(_type(each, schema) for each in shown["anyOf"] if each.get("type") != "null")
    if values := shown.get("enum", [shown["const"]] if "const" in shown else []):
        return ", ".join(f"`{value}`" for value in values)
    if shown.get("type") == "array":
        return f"list of {_type(shown.get('items', {}), schema)}"
    return _TYPES.get(str(shown.get("format", shown.get("type"))), "text")


def _written(value: object) -> str:
    if isinstance(value, SecretStr):  # a default is no secret
        value = value.get_secret_value()
    plain = to_jsonable_python(value, fallback=str)
    if plain in (None, "", [], {}):
        return ""
    if isinstance(value, BaseModel):
        return "see below"
    return f"`{_toml(plain)}`"


def _toml(plain: object) -> str:
    match plain:
        case bool():
            return str(plain).lower()
        case str():
            return f'"{plain}"'
        case list():
            return f"[{_joined(plain)}]"
        case dict():
            return f"{{ {', '.join(f'{key} = {_toml(each)}' for key, each in plain.items())} }}"
        case _:
            return str(plain)


def _joined(values: Iterable[object]) -> str:
    return ", ".join(map(_toml, values))


if __name__ == "__main__":
    sys.exit(main())
