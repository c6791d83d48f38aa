"""Messages with what the checks must find in them, from the files of `tests/corpus`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from policenotify.checks import CHECKS, CheckContext, run_checks
from policenotify.findings import Finding, Level
from tests.support.checks import NOW, context

FOLDER = Path(__file__).parents[1] / "corpus"
CODES = {"abduction_alert": "child_abduction_relay", "burglary": "burglary_prevention", "weather": "weather_relay"}
"""The codes of categories that another author called otherwise."""

_LEVELS = {"B": Level.BLOCK, "S": Level.SECOND}
GUARDS = tuple(rule for rule in CHECKS if re.match(r"PN[23]|PN423", rule.code))
"""The rules that hold a message back because of its words."""

_MERGED = {"204": "203", "205": "203", "302": "301", "305": "301", "219": "301"}
"""The codes of rules that are one rule now."""

_BLOCKS = {"PN202", "PN203", "PN206", "PN207", "PN208", "PN210", "PN215", "PN423"}
"""The rules that block. What the authors of the corpora wanted blocked by any other now needs a second person."""

_IDENTITIES = {"PN202", "PN206", "PN207", "PN208"}
"""Those that block in the opening and the end of a severe or extreme incident, too."""

_URGENT = {"PN215", "PN216", "PN301", "PN423"}
"""Those that ask for a second person there."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One message of the corpus.

    Attributes:
        line: Its line in the file.
        level: The least level that must be found, `None` for a clean message.
        code: The rule that should find it.
    """

    line: int
    category: str
    text: str
    fields: dict[str, Any]
    level: Level | None
    code: str

    def context(self) -> CheckContext:
        return context(**self.fields)

    def findings(self) -> list[Finding]:
        """Return what the guards find."""
        return list(run_checks(self.context(), GUARDS))

    def worst(self) -> Level | None:
        levels = [finding.level for finding in self.findings()]
        return min(levels, key=list(Level).index, default=None)

    @property
    def missed(self) -> bool:
        worst = self.worst()
        order = list(Level)
        return self._least is not None and (worst is None or order.index(worst) > order.index(self._least))

    @property
    def _least(self) -> Level | None:
        """The least level that must be found, as the levels of the rules are now."""
        level, context = self.level, self.context()
        if level is Level.BLOCK and (self.code not in _BLOCKS or self._names_anybody(context)):
            level = Level.SECOND
        if level and context.is_urgent and self.code not in _IDENTITIES:
            level = Level.SECOND if self.code in _URGENT else Level.ADVISE
        ends = self.fields["lifecycle"].get("stage") in {"end", "cancellation"}
        return Level.ADVISE if ends and level is Level.SECOND else level

    def _names_anybody(self, context: CheckContext) -> bool:
        """Return True for a name or a home where it is not blocked: it is not that of a victim or a suspect."""
        return self.code == "PN210" or (self.code == "PN202" and not context.profile.judicial)

    @property
    def false_alarm(self) -> bool:
        return self.level is None and self.worst() in {Level.BLOCK, Level.SECOND}


@cache
def read(name: str) -> tuple[Entry, ...]:
    return tuple(_entries((FOLDER / f"{name}.txt").read_text("utf-8")))


def _entries(text: str) -> Iterator[Entry]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#") or not line.strip():
            continue
        head, expected, words = (part.strip() for part in line.split(" | ", 2))
        where, *options = head.split()
        given = dict(option.split("=", 1) for option in options)
        category, _, stage = where.partition("/")
        level, _, code = expected.partition(" ")
        words, _, translation = words.partition(" << ")
        words, _, alt = words.partition(" >> ")
        words, _, instruction = words.partition(" => ")
        fields = _fields(CODES.get(category, category), stage, given, words, alt)
        yield Entry(
            line=number,
            category=CODES.get(category, category),
            text=words,
            fields={**fields, "instruction": instruction, **_places_and_times(given), **_translation(translation)},
            level=_LEVELS.get(level),
            code=f"PN{_MERGED.get(rule, rule)}" if (rule := code.partition(" ")[0]) else "",
        )


def _fields(category: str, stage: str, given: dict[str, str], words: str, alt: str) -> dict[str, Any]:
    headline, _, rest = (words, "", "") if len(words) <= 160 else words.partition(". ")
    if len(headline) > 160:  # nothing of a long first sentence is lost
        headline, rest = headline[:160], words
    lifecycle: dict[str, Any] = {"stage": stage, "incident": "i1"} if stage else {}
    if stage in {"correction", "cancellation"}:
        lifecycle["corrects"] = "01JZ0000000000000000000001"
    fields: dict[str, Any] = {
        "category": category,
        "lifecycle": lifecycle,
        "location": {"commune": "34172"},
        "headline": headline[:160],
        "description": rest,
        "instruction": "",
        "language": given.get("lang", "fr"),
        "basis": [{"who": who} for who in given.get("basis", "").split(",") if who],
    }
    if alt:
        fields["images"] = [{"alt": alt, "digest": "0" * 64}]
    if "link" in given:
        fields["link"] = given["link"]
    return fields


def _translation(words: str) -> dict[str, Any]:
    """Return the field of a translation, written as `en: headline`."""
    language, _, headline = words.partition(": ")
    return {"translations": [{"language": language, "headline": headline}]} if words else {}


def _places_and_times(given: dict[str, str]) -> dict[str, Any]:
    """Return the fields of the keys that the linter's messages use."""
    fields: dict[str, Any] = {}
    if given.keys() & {"commune", "road", "label", "district"}:
        names: dict[str, Any] = {
            name: given[name].replace("_", " ") for name in ("label", "district", "department") if name in given
        }
        place: dict[str, Any] = {"commune": given.get("commune", "34172"), **names}
        if place["commune"] == "none":
            del place["commune"]
        if "road" in given:
            place["road"] = {"road": given["road"], **({"exit": given["exit"]} if "exit" in given else {})}
        fields["location"] = place
    if "tags" in given:
        fields["hashtags"] = given["tags"].split(",")
    for key, field in (("next", "next_update_at"), ("start", "starts_at")):
        if key in given:
            clock = "" if given[key] == "none" else f"{NOW:%Y-%m-%d}T{given[key]}:00+02:00"
            fields[field] = clock or None
    return fields


def example(fields: dict[str, Any]) -> CheckContext:
    """Return the message of an example of the reference: an empty time is none, and a picture has its digest."""
    given = {name: value or None if name.endswith("_at") else value for name, value in fields.items()}
    if pictures := given.get("images"):
        given["images"] = [{"digest": "0" * 64, **picture} for picture in pictures]
    places = tuple(given.pop("open_places", None) or ())
    return replace(context(**given), traffic=frozenset({"cifs"}), open_places=places)
