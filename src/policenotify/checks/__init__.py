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
from functools import partial
from importlib.metadata import entry_points
from typing import Final

from policenotify.checks import links, message
from policenotify.checks.fr import RULES
from policenotify.checks.text import TextPart
from policenotify.checks.words import SHIPPED, Vocabulary, WordListChange
from policenotify.checks.links import check_links
from policenotify.checks.rule import CheckContext, Hit, Rule, quotable_texts, rule, rules_in
from policenotify.checks.rule import run_checks as _run_checks
from policenotify.findings import Finding

CHECKS: Final[tuple[Rule, ...]] = tuple(sorted((*rules_in(links, message), *RULES), key=lambda each: each.code))
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
    "installed_checks",
    "quotable_texts",
    "rule",
    "run_checks",
]


def run_checks(context: CheckContext, checks: Iterable[Rule] = CHECKS) -> tuple[Finding, ...]:
    """Return all findings. See `policenotify.checks.rule.run_checks`."""
    return _run_checks(context, checks)
