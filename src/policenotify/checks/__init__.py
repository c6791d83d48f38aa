"""Checks of a message's content. One that blocks stops the publication.

A rule is a value: a permanent code, its basis, and a function from a
[`CheckContext`][policenotify.checks.CheckContext] to hits, made by the decorator
[`rule`][policenotify.checks.rule.rule]. Its reasons and remedies are in TOML, in French and English.

What a message needs anywhere is in this package. What the law of a country forbids is a package of its own, as
`policenotify.checks.fr` is. That of another country comes by the entry point `policenotify.checks`.

An installation adds its own with `checks=` of `Publisher`. Codes that begin with `PN` are reserved.

*A warning message's five contents*, in the basis of a rule, are source, hazard, place, guidance and time (Mileti and
Sorensen, *Communication of Emergency Public Warnings*, ORNL-6609, 1990).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Final

from policenotify.checks import contradictions, links, message
from policenotify.checks.fr import RULES
from policenotify.checks.links import check_links
from policenotify.checks.rule import CheckContext, Hit, Rule, quotable_texts, rule, rules_in
from policenotify.checks.text import TextPart
from policenotify.checks.words import SHIPPED, Vocabulary, WordListChange
from policenotify.errors import SettingsError
from policenotify.findings import Finding, Level, by_level
from policenotify.model.lifecycle import Stage
from policenotify.translation import Text
from policenotify.validation import at_place

_WITHOUT_LAW: Final = rules_in(contradictions, links, message)

CHECKS: Final[tuple[Rule, ...]] = tuple(sorted((*_WITHOUT_LAW, *RULES), key=lambda each: each.code))
"""The rules shipped, in the order of their codes."""

__all__ = [
    "CHECKS",
    "SHIPPED",
    "CheckContext",
    "Hit",
    "Rule",
    "TextPart",
    "Vocabulary",
    "WordListChange",
    "check_links",
    "checks_of",
    "quotable_texts",
    "rule",
    "run_checks",
]


LAW: Final = "policenotify.checks"
"""The group of entry points of the laws of other countries."""


def run_checks(context: CheckContext, checks: Iterable[Rule] = CHECKS) -> tuple[Finding, ...]:
    """Return all findings, those that block first, else in the order of the rules.

    An end or a cancellation needs no second person, because a late one does more harm: level `second` is `advise`.
    """
    findings = [finding for each in checks for finding in each.find(context)]
    if context.message.stage in {Stage.END, Stage.CANCELLATION}:
        findings = [
            replace(finding, level=Level.ADVISE) if finding.level is Level.SECOND else finding for finding in findings
        ]
    return by_level(findings)


def checks_of(laws: Iterable[str] = ("fr",)) -> tuple[Rule, ...]:
    """Return the rules of some laws, with those that need no law, in the order of their codes.

    Args:
        laws: Their names: `fr`, or that of an entry point `policenotify.checks`, which names a tuple of rules.

    Raises:
        SettingsError: No installed package has such a law, or it cannot be imported.
    """
    rules = list(_WITHOUT_LAW)
    for name in laws:
        offered = {point.name: point for point in entry_points(group=LAW)} if name != "fr" else {}
        if name != "fr" and name not in offered:
            raise SettingsError(
                Text("law: no installed package offers {name!r} as an entry point of {law!r}.", name=name, law=LAW)
            )
        try:
            rules += offered[name].load() if name in offered else RULES
        except Exception as error:  # another author's module may fail in any way
            reason = Text(
                "{target!r} cannot be imported ({name}). Install it for this Python.",
                target=offered[name].value,
                name=type(error).__name__,
            )
            raise SettingsError(at_place("law", reason)) from error
    return tuple(sorted(rules, key=lambda each: each.code))
