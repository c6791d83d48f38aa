"""The form of a rule of French law, and the plain ones of `rules.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from importlib.resources import files
from typing import Any

from policenotify.checks.rule import CheckContext, Hit, Rule, rule
from policenotify.checks.text import TextPart
from policenotify.checks.words import Match
from policenotify.findings import Level


@cache
def texts() -> dict[str, Any]:
    """Return `rules.toml`: reasons and remedies of all rules, and all of the plain ones."""
    return tomllib.loads((files(__package__) / "rules.toml").read_text("utf-8"))


law: Callable[..., Callable[[Callable[[CheckContext], Iterable[Hit]]], Rule]] = partial(
    rule, urgent=Level.ADVISE, orders=False, texts=texts
)
"""The decorator of a rule of French law."""


def hit(part: TextPart, match: Match, level: Level | None = None, variant: str = "", *, covered: bool = False) -> Hit:
    """Return the hit of some words of a text."""
    return Hit(part.field, part.span(match), level, variant, covered=covered)


def texts_of_persons(context: CheckContext) -> Iterator[TextPart]:
    """Yield the texts but for those of the place, whose names are those of streets."""
    return (part for part in context.parts if not part.field.startswith("location."))


def has(context: CheckContext, *names: str) -> bool:
    """Return True if some text has a phrase of these lists."""
    return any(part.has(*names) for part in context.parts)


def plain_rule(code: str, table: dict[str, Any]) -> Rule:
    """Return a rule of `rules.toml`: each phrase of its lists is a finding.

    `not_traits` names traits of categories that it does not judge, `unless` lists of which the text has no phrase, and
    `agreed` who may cover it.
    """
    levels = tuple(Level(level) for level in table["levels"])

    @law(
        code,
        basis=table["basis"],
        levels=levels,
        urgent=Level(table["urgent"]),
        orders=table.get("orders", False),
        title=table["title"],
    )
    def found(context: CheckContext) -> Iterator[Hit]:
        unwanted = any(getattr(context.profile, trait) for trait in table.get("not_traits", ()))
        if unwanted and not has(context, "arrested"):
            return
        covered = context.agreed(*table.get("agreed", ()))
        for part in context.parts:
            lists = () if part.has(*table.get("unless", ())) else table["lists"]
            yield from (hit(part, match, covered=covered) for name in lists for match in part.found.get(name, ()))

    return found


def is_of(host: str, sites: Iterable[str]) -> bool:
    """Return True if a host is one of these sites or below one."""
    return any(host == site or host.endswith(f".{site}") for site in sites)
