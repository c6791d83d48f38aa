"""The honest messages of `tests/corpus/honest.toml`, written out."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import cycle, islice
from typing import Any

from policenotify.checks import CheckContext
from policenotify.model import places
from tests.support import corpus
from tests.support.checks import context

LEAST = 150
"""Messages of a group of names, at least."""


@cache
def groups() -> dict[str, list[CheckContext]]:
    """Return the messages by group."""
    tables = tomllib.loads((corpus.FOLDER / "honest.toml").read_text("utf-8"))
    return {
        "hours": [_message("road_closure", text) for text in _hours(tables["hours"])],
        "roads": [_message("traffic_disruption", text) for text in _roads(tables["roads"])],
        "communes": [_message(tables["communes"]["category"], text) for text in _communes(tables["communes"])],
        **{
            name: [_message(tables[name]["category"], text) for text in _named(tables[name])]
            for name in ("stations", "schools", "hospitals", "firms", "events")
        },
        "sentences": [_message(where, text) for where, texts in tables["sentences"].items() for text in texts],
    }


def _message(where: str, text: str) -> CheckContext:
    """Return a message whose headline is the text, in the context of its checks."""
    category, _, stage = where.partition("/")
    fields: dict[str, Any] = {"category": category, "headline": text, "instruction": "", "next_update_at": None}
    fields |= {"lifecycle": {"stage": stage or "opening", "incident": "i1"}, "location": {"commune": "34172"}}
    return context(**fields)


def _hours(table: dict[str, Any]) -> Iterator[str]:
    phrases, forms = table["phrases"], table["forms"]
    for minute in range(24 * 60):
        number = minute + minute // 60  # each hour of the day begins with another phrase
        form = forms[number // len(phrases) % len(forms)]
        yield phrases[number % len(phrases)].format(hour=form.format(h=minute // 60, m=minute % 60))


def _roads(table: dict[str, Any]) -> Iterator[str]:
    phrases = cycle(table["phrases"])
    for kind in table["kinds"]:
        for number in table["numbers"]:
            yield next(phrases).format(road=kind.format(n=number))


def _communes(table: dict[str, Any]) -> Iterator[str]:
    chosen = [
        commune
        for department in ("34", "29", "2A", "59", "67", "974", "23", "06", "75", "64", "80", "38", "13", "33")
        for commune in places.communes_of(department)[::7][:30]
    ]
    for phrase, commune in zip(cycle(table["phrases"]), chosen, strict=False):
        yield phrase.format(name=commune.name)


def _named(table: dict[str, Any]) -> Iterator[str]:
    names, phrases = table["names"], table["phrases"]
    rounds = -(-LEAST // len(names))
    for start in range(rounds):
        for name, phrase in zip(names, islice(cycle(phrases), start, None), strict=False):
            text = phrase.format(name=name)
            yield text[0].upper() + text[1:]
