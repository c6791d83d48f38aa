"""Write the generated parts of the reference: every key of the settings, the codes of all findings, all metrics.

Below its marker each page is written from the code. `--check` compares instead, and exits with 1 if a page is old.
"""

from __future__ import annotations

import dataclasses
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from inspect import getdoc
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, TypeAdapter
from pydantic_core import to_jsonable_python

from policenotify.channel import ChannelSettings
from policenotify.checks import CHECKS
from policenotify.publishing.approval import ApprovalRule
from policenotify.publishing.metrics import METRICS
from policenotify.publishing.reminders import ReminderPolicy
from policenotify.publishing.routing import Route
from policenotify.render.locales import PROFILES, CategoryProfile
from policenotify.settings.audiences import AudienceSettings
from policenotify.settings.loader import profiles_of
from policenotify.settings.model import (
    ChannelTable,
    Settings,
    WordListSettings,
)

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from tests.support import corpus  # noqa: E402 - not a part of the package

REFERENCE = ROOT / "docs" / "reference"
BEGIN = "<!-- what follows is written by: python .ci/build_reference.py -->\n"


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of the settings: a heading, an introduction, the model, and an example.

    Attributes:
        title: The heading.
        model: The class whose fields are the keys.
        about: Text above the keys.
        variable: The name of a key's environment variable, with `{}` for the key. Empty: a key has none.
        example: TOML, checked by the settings' own model. It may use the channels and tags of `BASE`.
    """

    title: str
    model: type[Any]
    about: str = ""
    variable: str = ""
    example: str = ""


BASE = """
sender = "Police nationale"
[channels.bluesky]
network = "bluesky"
tags = ["public"]
[channels.presse]
network = "email"
tags = ["press"]
[channels.duty]
network = "email"
"""
"""What the examples of single tables are completed with."""

TABLES: tuple[Table, ...] = (
    Table("Top level", Settings, example="""
schema_version = 1
sender = "Police nationale de l'Hérault"
journal = "/var/lib/policenotify/journal.db"
links = [".gouv.fr", "police.example"]

[languages]
de = "words/de.toml"
"""),
    Table("`[channels.NAME]`", ChannelTable, about=
        "One table for each account. `NAME` is yours, and receipts show it.\n"
        "Each network has further options: see [Networks](networks.md).",
        example="""
[channels.mastodon]
network = "mastodon"
languages = ["fr", "en"]                # each language is a post of its own
tags = ["public"]
without_opening = "skip"
on_unknown = { severe = "resend", minor = "hold" }
on_correction = "reply"
mentions = ["prefecture34", "sdis34@pompiers.example"]
rate = "30 per 5 min, 15 at once"
server = "https://social.example"       # from here on: options of the network
handle = "police34"
token = { file = "secrets/mastodon" }
"""),
    Table("`[audiences.NAME]`", AudienceSettings, about=
        "Lists of subscribers, which channels name in `audiences`: see [Audiences](../howto/audiences.md).", example="""
[channels.presse]
network = "email"
audiences = ["press", "residents"]
most_people = 5000

[audiences.press]                       # one address a line
file = "secrets/press.txt"
language = "fr"

[audiences.residents]                   # each with a place, and more
csv = "secrets/residents.csv"
columns = { address = "Adresse électronique" }

[audiences.register]                    # people of another application
function = "our_desk.people:register"
"""),
    Table("`[[routes]]`", Route, about=
        "Every route that matches adds its channels. A message matches if it meets all keys of the route.", example="""
[[routes]]                              # everything goes to the public channels
to = ["public"]

[[routes]]                              # severe fires and accidents in one department also go to the press
categories = ["fire", "traffic_accident"]
at_least = "Severe"
areas = ["dept:34", "commune:30189", "epci:243400017"]
to = ["press"]
"""),
    Table("`[[approval]]`", ApprovalRule, about=
        "Which messages others read before they are published: see [Approval](../howto/approval.md).\n"
        "The first table that matches counts. A message matches if its stage is among `stages`,\n"
        "and its category or its severity is named; a table that names neither is for all.", example="""
[[approval]]                            # scams: nobody needs to
categories = ["scam_cyber"]
readers = 0

[[approval]]                            # these, and whatever is severe
categories = ["missing_person", "witness_appeal"]
at_least = "Severe"
stages = ["opening", "update", "correction", "standalone"]
readers = 1
expires = "PT2H"
urgent = true
within = "PT30M"
"""),
    Table("`[reminders]`", ReminderPolicy, example="""
[reminders]
after = [0, 900, 3600]                  # at the deadline, a quarter of an hour and an hour after it
every = 14400
to = ["duty"]
"""),
    Table("`[categories.CODE]`", CategoryProfile, about=
        "A key that is left out keeps its shipped value. A new category needs `labels`.\n"
        "Of those shipped, the ones with a lifetime open incidents.", example="""
[categories.fire]                       # a shipped category, changed
lifetime = "PT3H"

[categories.witness_appeal]
contact = "04 99 13 50 00"              # or by language: { fr = "…", en = "…" }

[categories.river_rescue]               # a new one
labels = { fr = "Sauvetage en rivière", en = "River rescue" }
opens_incident = true
severity = "Severe"
"""),
    Table("`[words.LIST]`", WordListSettings, about=
        "The word lists of the [checks](checks.md). Brackets hold alternatives, a star any ending.\n"
        "Case, accents and plurals make no difference.", example="""
[words.service_numbers]
add = ["06 12 34 56 78"]                # the desk's own mobile telephone

[words.service_domains]
add = ["police.example"]

[words.insult]
add = ["olibrius"]
remove = { "parasite" = "Mot courant dans nos messages sur les nuisibles." }
"""),
    )  # fmt: skip
SHOWN_ELSEWHERE: Mapping[type[Any], tuple[str, ...]] = {
    Settings: (
        "channels",
        "audiences",
        "routes",
        "reminders",
        "approval",
        "categories",
        "words",
    ),  # tables of their own
    ChannelTable: ("options",),
    CategoryProfile: ("code",),
}
CHOICES = (
    ("without_opening", "standalone", "an end whose opening never appeared on the channel is worded to stand alone"),
    ("without_opening", "skip", "such an end is not published there"),
    ("on_unknown", "resend", "a post in doubt on a network without keys and look-ups is sent again"),
    ("on_unknown", "hold", "it waits until a person settles it: `policenotify resolve`"),
    ("on_correction", "reply", "a correction is published as an answer"),
    ("on_correction", "edit", "the wrong post is edited, where the network can; else as `reply`"),
    ("on_correction", "both", "it is edited, and an answer states the correction"),
    ("on_cancellation", "reply", "a cancellation is published as an answer, and nothing is deleted"),
    ("on_cancellation", "delete", "the incident's posts are deleted, where the network can; else as `reply`"),
    ("on_cancellation", "both", "the posts are deleted, and the cancellation is published"),
)

SOURCES: Mapping[str, str] = {
    "A warning message's five contents": "Contents",
    "Charte d'accessibilité de la communication de l'État, 2021": "Charte",
    "loi du 29 juillet 1881": "Presse",
    "Loi du 29 juillet 1881": "Presse",
}
"""The sources of several checks, and the words for them that the page explains."""

_TYPES: Mapping[str, str] = {
    "boolean": "flag",
    "duration": "time span",
    "integer": "whole number",
    "number": "number",
    "object": "table",
    "password": "secret text",
    "path": "path",
}

_FEW = 8  # the values that a cell lists: those of CAP 1.2 are more


def main() -> int:
    """Write or compare the pages."""
    check, old = "--check" in sys.argv[1:], []
    for name, lines in {"settings.md": _settings(), "checks.md": _checks(), "metrics.md": _metrics()}.items():
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
    for table in TABLES:
        yield from ("", f"## {table.title}", *(("", table.about) if table.about else ()), "")
        yield from _keys(table)
        if table.model is ChannelTable:
            yield from (
                "",
                "`on_unknown` and `on_correction` take one choice for every message, or a table by severity:",
                "",
            )
            yield from _choices()
        if table.model is CategoryProfile:
            yield from ("", "Shipped categories, with the values that apply if the message gives none.", "")
            yield from _categories()
        _check_example(table.example)
        yield from ("", "```toml", table.example.strip(), "```")


def _keys(table: Table) -> Iterator[str]:
    yield from _row("key", "value (default)", "meaning")
    schema, defaults = TypeAdapter(table.model).json_schema(), _defaults(table.model)
    for key, meaning in _meanings(table.model).items():
        if (shown := schema["properties"].get(key)) is None or key in SHOWN_ELSEWHERE.get(table.model, ()):
            continue
        default = f" ({written})" if (written := _written(defaults.get(key))) else ""
        value = f"{_type(shown, schema)}{default if key in defaults else ', **required**'}"
        yield from _row(f"`{key}`", value, meaning, head=False)


def _choices() -> Iterator[str]:
    yield from _row("key", "effect of each value")
    schema = TypeAdapter(ChannelTable).json_schema()
    for key in dict.fromkeys(key for key, *_ in CHOICES):
        values = {value for name, value, _ in CHOICES if name == key}
        if (allowed := set(re.findall(r"`(\w+)`", _type(schema["properties"][key], schema)))) != values:
            raise SystemExit(f"{key}: the choices are {', '.join(sorted(allowed))}.")
        effects = (f"`{value}`: {effect}" for name, value, effect in CHOICES if name == key)
        yield from _row(f"`{key}`", ". ".join(effects), head=False)


def _categories() -> Iterator[str]:
    yield from _row("code", "label (fr)", "`severity`", "`lifetime`", "`precision`")
    for code, profile in PROFILES.items():
        yield from _row(
            f"`{code}`",
            profile.labels["fr"],
            profile.severity,
            _written(profile.lifetime).strip('`"'),
            profile.precision,
            head=False,
        )


def _check_example(example: str) -> None:
    """Read an example of the page as the program reads its settings."""
    given, base = tomllib.loads(example), tomllib.loads(BASE)
    settings = Settings.model_validate({**base, **given, "channels": {**base["channels"], **given.get("channels", {})}})
    profiles_of(settings.model_copy(update={"languages": {}}))  # their files are not here


def _defaults(model: type[Any]) -> dict[str, object]:
    """Return the value of each key that may be left out."""
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


def _metrics() -> Iterator[str]:
    """Yield a table of all metrics."""
    yield from ("", *_row("metric", "labels", "meaning"))
    for metric in METRICS:
        meaning = metric.help
        if metric.bounds:
            meaning += f" Buckets: {', '.join(f'{bound:g}' for bound in metric.bounds)}."
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield from _row(f"`{metric.exported}`", labels, meaning, head=False)


def _checks() -> Iterator[str]:
    """Yield a table of all checks, with the remedy of the example that tests keep true."""
    yield from ("", *_row("code", "level", "rule", "remedy", "source"))
    examples = tomllib.loads((corpus.FOLDER / "examples.toml").read_text("utf-8"))
    for check in CHECKS:
        remedy = next(check.find(corpus.example(examples[check.code]["fails"]))).remedy
        source = str(check.basis)
        for words, short in SOURCES.items():
            source = source.replace(words, short)
        cells = (f"`{check.code}`", ", ".join(check.levels), check.title, remedy, source)
        yield from _row(*map(str, cells), head=False)


def _row(*cells: str, head: bool = True) -> Iterator[str]:
    yield f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"
    if head:
        yield "|---" * len(cells) + "|"


def _meanings(model: type[Any]) -> dict[str, str]:
    """Return the meaning of each attribute, from the docstrings of the class and the one that it extends."""
    inherited = _meanings(ChannelSettings) if model is ChannelTable else {}
    _, _, attributes = (getdoc(model) or "").partition("Attributes:\n")
    parts = re.split(r"^ {4}(\w+): ", attributes, flags=re.MULTILINE)[1:]
    plain = (re.sub(r"\[([^]]*)\]\[[^]]*\]", r"\1", " ".join(text.split())) for text in parts[1::2])
    return {**inherited, **dict(zip_longest(parts[::2], plain, fillvalue=""))}


def _type(shown: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "$ref" in shown:
        shown = schema["$defs"][shown["$ref"].rpartition("/")[2]]
    if "anyOf" in shown:
        return " or ".join(_type(each, schema) for each in shown["anyOf"] if each.get("type") != "null")
    if values := shown.get("enum", [shown["const"]] if "const" in shown else []):
        return ", ".join(f"`{value}`" for value in values) if len(values) <= _FEW else "word"
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
