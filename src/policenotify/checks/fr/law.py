"""The form of a rule of French law, and the plain ones of `rules.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from policenotify.checks.rule import CheckContext, Hit, Rule, rule
from policenotify.checks.text import TextPart
from policenotify.checks.words import Match
from policenotify.findings import Level

_Function = Callable[[CheckContext], Iterable[Hit]]


@cache
def texts() -> dict[str, Any]:
    """Return `rules.toml`: reasons and remedies of all rules, and all of the plain ones."""
    return tomllib.loads((files(__package__) / "rules.toml").read_text("utf-8"))


def law(
    code: str,
    *,
    basis: str,
    levels: tuple[Level, ...] = (Level.BLOCK,),
    urgent: Level = Level.ADVISE,
    orders: bool = False,
    title: str = "",
) -> Callable[[_Function], Rule]:
    """Return the decorator of a rule of French law.

    Args:
        code: Its permanent code.
        basis: The law that it rests on.
        levels: Those that its findings may have.
        urgent: The highest level in the opening or the end of a severe or extreme incident.
        orders: It judges instructions to readers, too. Any other only advises on an order to leave, to gather or to
            take shelter.
        title: What it does, by default the docstring of the function.
    """

    def decorate(function: _Function) -> Rule:
        def find(context: CheckContext) -> Iterator[Hit]:
            for hit in function(context):
                ordered = not orders and hit.span and (part := context.part(hit.field)) and _is_order(part, hit.span)
                yield replace(hit, level=Level.ADVISE) if ordered else hit

        decorator = rule(
            code, basis=basis, levels=levels, urgent=urgent, title=title or function.__doc__ or "", texts=texts
        )
        return decorator(find)

    return decorate


def _is_order(part: TextPart, span: tuple[int, int]) -> bool:
    """Return True if a place in a text is in a sentence that orders readers to leave, to gather or to take shelter."""
    at = min(part.word_at(span[0] - 1), len(part.tokens) - 1)
    return bool(part.within("order", part.sentence(at)))


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
