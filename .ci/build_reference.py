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
from policenotify.findings import Finding, Level, audience_too_large, audience_uncounted, images_left
from policenotify.journal.records import NeededApproval
from policenotify.publishing.approval import ApprovalRule
from policenotify.publishing.metrics import METRICS
from policenotify.publishing.reminders import ReminderPolicy
from policenotify.publishing.routing import Route
from policenotify.render.locales import PROFILES, CategoryProfile
from policenotify.settings.audiences import AudienceSettings, RecipientSettings
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
zone = "Europe/Paris"
journal = "/var/lib/policenotify/journal.db"
keys = "policenotify.keys"
wait = 20
pictures = "pictures"                   # for messages from other systems, see the command line
links = [".gouv.fr", "police.example"]  # hosts to which messages may link
may = "our_desk.rules:may"              # a function of yours: who may do what

[languages]                             # files of phrases, for languages that are not shipped
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
exercise = false
retired = false
without_opening = "skip"
on_unknown = { severe = "resend", minor = "hold" }
on_correction = "reply"                 # or a table: { severe = "both", minor = "edit" }
on_cancellation = "both"
mentions = ["prefecture34", "sdis34@pompiers.example"]
rate = "30 per 5 min, 15 at once"
server = "https://social.example"       # from here on: options of the network
handle = "police34"
token = { file = "secrets/mastodon" }
"""),
    Table("`recipients` of a channel", RecipientSettings, about=
        "A list of addresses or numbers, or a table with one of these keys.\n", example="""
[channels.presse]
network = "email"
recipients = { file = "secrets/press.txt" }       # or ["desk@police.example", "press@mairie.example"]
url = { file = "secrets/smtp" }
"""),
    Table("`[audiences.NAME]`", AudienceSettings, about=
        "Lists of subscribers, which channels name in `audiences`: see [Audiences](../howto/audiences.md).\n"
        "Each is one of `addresses`, `file`, `csv` and `function`.", example="""
[channels.presse]
network = "email"
audiences = ["press", "residents"]
most_people = 5000
url = { file = "secrets/smtp" }

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
        "Every route that matches adds its channels. Without routes every message goes to every channel.\n"
        "A message matches if it meets all keys of the route.\n", example="""
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
        "and its category or its severity is named; a table that names neither is for all.\n", example="""
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
        "A key that is left out keeps its shipped value. A new category needs `labels`.", example="""
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
EXAMPLES: Mapping[str, str] = {
    "schema_version": "`1`",
    "sender": '`"Police nationale"`',
    "zone": '`"Europe/Paris"`',
    "journal": '`"/var/lib/policenotify/journal.db"`, `{ file = "secrets/journal-url" }`',
    "keys": '`"policenotify.keys"`',
    "wait": '`20`, `"PT20S"`',
    "pictures": '`"pictures"`',
    "links": '`[".gouv.fr", "police.example"]`',
    "law": '`["fr"]`',
    "judicial": "`true`",
    "search": "`true`",
    "appeal": "`true`",
    "needs_basis": "`true`",
    "general": "`true`",
    "start": '`"last_seen"`',
    "source": '`"Météo-France"`',
    "contact": '`"04 99 13 50 00"`',
    "words": '`[words.service_numbers]`, then `add = ["06 12 34 56 78"]`',
    "add": '`["auteur(|s) du vol", "handicap*"]`',
    "remove": '`{ "parasite" = "Mot courant dans nos messages." }`',
    "off": '`"Décision du directeur du 12 mai 2026."`',
    "certificates": '`"vigilance@meteo.example" = "meteo.pem"`',
    "may": '`"our_desk.rules:may"`',
    "channels": "`[channels.bluesky]`",
    "routes": '`[[routes]]`, then `to = ["public"]`',
    "approval": '`[[approval]]`, then `at_least = "Severe"`',
    "stages": '`["opening", "standalone"]`',
    "readers": "`2`",
    "expires": '`"PT2H"`, `7200`',
    "urgent": "`false`",
    "within": '`"PT30M"`, `1800`',
    "authenticated": "`true`",
    "reminders": '`[reminders]`, then `to = ["duty"]`',
    "traces": "`true`",
    "network": '`"bluesky"`',
    "language": '`"fr"`',
    "languages": '`["fr", "en"]`',
    "Settings.languages": '`de = "words/de.toml"`',
    "Settings.categories": '`[categories.fire]`, then `lifetime = "PT2H"`',
    "tags": '`["public"]`',
    "exercise": "`true`",
    "retired": "`true`",
    "without_opening": '`"skip"`',
    "on_unknown": '`"hold"`, `{ severe = "resend", minor = "hold" }`',
    "on_correction": '`"reply"`, `{ severe = "both", minor = "edit" }`',
    "on_cancellation": '`"both"`',
    "mentions": '`["Prefet34"]`',
    "recipients": '`["desk@police.example"]`, `{ file = "secrets/press.txt" }`',
    "audiences": '`["press", "residents"]`',
    "Settings.audiences": '`[audiences.press]`, then `file = "secrets/press.txt"`',
    "price": "`0.045`",
    "most_people": "`5000`",
    "most_cost": "`500.0`",
    "csv": '`"secrets/residents.csv"`',
    "columns": '`{ address = "Adresse électronique" }`',
    "function": '`"our_desk.people:subscribers"`',
    "AudienceSettings.categories": '`["traffic_accident", "fire"]`',
    "purpose": '`"recruitment"`',
    "checked": "`false`",
    "needs_consent": "`true`",
    "rate": '`"30 per 5 min, 15 at once"`',
    "options": '`handle = "police.example"`',
    "addresses": '`["desk@police.example"]`',
    "file": '`"secrets/press.txt"`',
    "categories": '`["traffic_accident", "fire"]`',
    "at_least": '`"Severe"`',
    "areas": '`["commune:34172", "epci:243400017", "dept:34"]`',
    "to": '`["public", "press"]`',
    "ReminderPolicy.to": '`["duty"]`',
    "after": "`[0, 900, 3600]`",
    "every": "`14400`",
    "labels": '`{ fr = "Sauvetage en rivière" }`',
    "hashtags": '`{ fr = ["Accident"] }`',
    "emoji": '`"🔥"`',
    "severity_labels": '`{ fr = { Severe = "Vigilance orange" } }`',
    "stage_marks": '`{ fr = { end = "FIN DE VIGILANCE" } }`',
    "severity_hashtags": '`{ fr = { Severe = "VigilanceOrange" } }`',
    "severity_emojis": '`{ Severe = "🟠" }`',
    "cap_categories": '`["Transport", "Safety"]`',
    "event_code": '`"OET-167"`',
    "response_types": '`["Avoid"]`',
    "severity": '`"Severe"`',
    "urgency": '`"Immediate"`',
    "certainty": '`"Observed"`',
    "opens_incident": "`true`",
    "ongoing": "`true`",
    "discreet": "`true`",
    "deletes_images": "`false`",
    "lifetime": '`"PT3H"`',
    "precision": '`"street"`',
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
AREAS = (
    ("`commune:CODE`", "one commune, by its INSEE code of five characters", "`commune:34172`, `commune:2A004`"),
    ("`epci:SIREN`", "all communes of one intercommunal body, by its SIREN of nine digits", "`epci:243400017`"),
    ("`dept:CODE`", "one department, by two or three characters", "`dept:34`, `dept:2A`, `dept:971`"),
)

_COMPARE = "Compare the draft with the alert before you submit it."
_IMPORTS = {  # by code: the title, a reason, what passes, what fails
    "PN701": (
        "Name what an imported alert lacks by Google's profile",
        "The alert has no area.",
        "A CAP alert with all that the profile asks for",
        "an alert whose `info` has no `area`",
    ),
    "PN702": (
        "Name parts of an imported alert that were left out",
        "Some parts of the alert were left out: another one has their language.",
        "one `info` for each language",
        "two `info` in `fr-FR`",
    ),
    "PN703": (
        "Name a link of an imported alert that may not be published",
        "The link of the alert is not one that may be published.",
        "`<web>https://meteo.example/</web>`",
        "`<web>javascript:alert(1)</web>`",
    ),
    "PN704": (
        "Name a text of an imported alert that was cut",
        "The headline of the alert is too long, and was cut.",
        "a headline of at most 160 characters",
        "a headline of 200 characters",
    ),
    "PN705": (
        "Name places of an imported alert that are unknown here",
        "No place of the alert is known here.",
        "a geocode `INSEE` or `NUTS3` of France",
        "an area in words only",
    ),
    "PN706": (
        "Name an alert that changes one that is unknown here",
        "It changes an alert that was not imported here: its draft opens an incident.",
        "an `Update` of an alert that was published here",
        "an `Update` whose `references` are unknown here",
    ),
    "PN708": (
        "Name another text that came under the same name",
        "The draft has the name of this alert, and not its text.",
        "the same alert twice",
        "two alerts of one name with different texts",
    ),
}
_REMEDIES = {
    "PN701": "Complete the draft before you submit it.",
    "PN708": "Compare the two, and ask the sender which is theirs.",
}


def _imports() -> Iterator[tuple[Finding, str, Mapping[str, str]]]:
    """Yield the findings of an imported CAP alert."""
    for code, (title, reason, passes, fails) in _IMPORTS.items():
        source = "Google Public Alerts CAP v1.0." if code == "PN701" else "CAP 1.2 (OASIS), section 3.2."
        remedy = _REMEDIES.get(code, _COMPARE)
        finding = Finding(code=code, level=Level.ADVISE, field="alert", reason=reason, remedy=remedy, source=source)
        yield finding, title, {"passes": passes, "fails": fails}


# The findings that no check raises, each with its title and its examples.
OTHERS: tuple[tuple[Finding, str, Mapping[str, str]], ...] = (
    (
        NeededApproval(readers=1, may_be_urgent=True).finding(),
        "Demand that other people read the message before it is published",
        {
            "passes": '`category = "arrest", basis = [{ who = "prosecutor" }]`, if no '
            "[rule](../howto/approval.md) matches",
            "fails": '`category = "arrest"`, or any message that a rule of approval matches',
        },
    ),
    (
        images_left(["x"]),
        "Name the channels where pictures of an incident stay after its end",
        {
            "passes": "the end of an appeal, where each channel could delete the posts with pictures",
            "fails": "the end of an appeal whose picture went out by mail, too, or on a channel that is down",
        },
    ),
    (
        audience_too_large("sms", most_people=5_000),
        "Refuse a message that would reach more people on a channel, or cost more, than it may",
        {
            "passes": "a message that concerns 4,000 people, on a channel with `most_people = 5000`",
            "fails": "one that concerns 12,000, or whose SMS cost more than `most_cost`",
        },
    ),
    (
        audience_uncounted("sms", "audiences.residents: the file residents.csv cannot be read (No such file)."),
        "State that the people of a channel with a limit cannot be counted",
        {
            "passes": "a channel with a limit whose lists can be read",
            "fails": "a channel with a limit, and a list in a database that does not answer",
        },
    ),
    *_imports(),
)

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
            yield from ("", "Choices, for every message or, for `on_unknown` and `on_correction`, by severity:", "")
            yield from _choices()
        if table.model is Route:
            yield from ("", "Forms of `areas`:", "", *_row("form", "area", "example"))
            for cells in AREAS:
                yield from _row(*cells, head=False)
        if table.model is CategoryProfile:
            yield from ("", "Shipped categories, with the values that apply if the message gives none:", "")
            yield from _categories()
        _check_example(table.example)
        yield from ("", "```toml", table.example.strip(), "```")


def _keys(table: Table) -> Iterator[str]:
    yield from _row("key", "value", "default", "meaning", "example")
    schema, defaults = TypeAdapter(table.model).json_schema(), _defaults(table.model)
    for key, meaning in _meanings(table.model).items():
        if (shown := schema["properties"].get(key)) is None or key == "code":
            continue
        default = _written(defaults[key]) if key in defaults else "**required**"
        name = f"{table.model.__name__}.{key}"
        if (example := EXAMPLES.get(name, EXAMPLES.get(key))) is None:
            raise SystemExit(f"{name} has no example. Add one to EXAMPLES in .ci/build_reference.py.")
        yield from _row(f"`{key}`", _type(shown, schema), default, meaning, example, head=False)


def _choices() -> Iterator[str]:
    yield from _row("key", "value", "effect")
    schema = TypeAdapter(ChannelTable).json_schema()
    for key in dict.fromkeys(key for key, *_ in CHOICES):
        values = {value for name, value, _ in CHOICES if name == key}
        if (allowed := set(re.findall(r"`(\w+)`", _type(schema["properties"][key], schema)))) != values:
            raise SystemExit(f"{key}: the choices are {', '.join(sorted(allowed))}.")
    for key, value, effect in CHOICES:
        yield from _row(f"`{key}`", f"`{value}`", effect, head=False)


def _categories() -> Iterator[str]:
    yield from _row("code", "label (fr)", "opens an incident", "`severity`", "`urgency`", "`lifetime`", "`precision`")
    for code, profile in PROFILES.items():
        yield from _row(
            f"`{code}`",
            profile.labels["fr"],
            "yes" if profile.opens_incident else "no",
            profile.severity,
            profile.urgency,
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
    yield from ("", *_row("metric", "type", "labels", "meaning"))
    for metric in METRICS:
        meaning = metric.help
        if metric.bounds:
            meaning += f" Buckets: {', '.join(f'{bound:g}' for bound in metric.bounds)}."
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield from _row(f"`{metric.exported}`", metric.kind, labels, meaning, head=False)


def _checks() -> Iterator[str]:
    """Yield a table of all checks, and a section for each with examples that tests keep true."""
    yield from ("", *_row("code", "level", "rule", "source"))
    for check in CHECKS:
        link = f"[`{check.code}`](#{check.code.lower()})"
        yield from _row(link, " or ".join(check.levels), check.title, check.basis, head=False)
    for finding, title, _ in OTHERS:
        yield from _row(
            f"[`{finding.code}`](#{finding.code.lower()})", finding.level, title, finding.source, head=False
        )
    examples = tomllib.loads((corpus.FOLDER / "examples.toml").read_text("utf-8"))
    for check in CHECKS:
        passes, fails = (examples[check.code][kind] for kind in ("passes", "fails"))
        finding = next(check.find(corpus.example(fails)))
        yield from ("", f"## {check.code}", "", f"{check.title}.", "")
        yield from _row("", finding.level)
        yield from _row("passes", f"`{_fields(passes)}`", head=False)
        yield from _row("fails", f"`{_fields(fails)}`", head=False)
        yield from _row("why", finding.reason, head=False)
        yield from _row("remedy", finding.remedy, head=False)
        if finding.reason_fr:
            yield from _row("in French", f"{finding.reason_fr} {finding.remedy_fr}", head=False)
        yield from _row("source", check.basis, head=False)
    for finding, title, shown in OTHERS:
        yield from ("", f"## {finding.code}", "", f"{title}.", "", *_row("", finding.level))
        for kind, text in {
            **shown,
            "why": finding.reason,
            "remedy": finding.remedy,
            "source": finding.source,
        }.items():
            yield from _row(kind, text, head=False)


def _fields(example: Mapping[str, Any]) -> str:
    """Return the fields of an example, as TOML would have them."""
    shown = {
        name: [each.get("alt") for each in value] if name == "images" else value for name, value in example.items()
    }
    return ", ".join(f"{name} = {_toml(value)}" for name, value in shown.items())


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
