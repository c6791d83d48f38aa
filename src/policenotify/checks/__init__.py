"""Checks of a message's content. One that blocks stops the publication.

A check is a value: a permanent code, its basis, and a function from a
[`CheckContext`][policenotify.checks.CheckContext] to remarks, made by the decorator
[`check`][policenotify.checks.check]. A check of words is made by [`rule`][policenotify.checks.rule]: it yields places
in the folded texts of the message, and its reasons and remedies are in TOML, in French and English.

An installation adds its own with `checks=` of `Publisher`. Codes that begin with `PN` are reserved.

*A warning message's five contents*, in the basis of a check, are source, hazard, place, guidance and time (Mileti and
Sorensen, *Communication of Emergency Public Warnings*, ORNL-6609, 1990).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from policenotify.checks import (
    contradictions,
    guidance,
    houses,
    identifiers,
    incident,
    justice,
    links,
    linter,
    minors,
    operations,
    orthography,
    persons,
    readiness,
    traffic,
    wording,
)
from policenotify.checks.check import Check, CheckContext, Hit, Remark, check, quotable_texts, rule
from policenotify.checks.words import SHIPPED, TextPart, Vocabulary, WordListChange
from policenotify.findings import Finding, Level, by_level
from policenotify.model.lifecycle import Stage

_MODULES: Final = (
    contradictions,
    guidance,
    houses,
    identifiers,
    incident,
    justice,
    linter,
    links,
    minors,
    operations,
    orthography,
    persons,
    readiness,
    traffic,
    wording,
)

CHECKS: Final[tuple[Check, ...]] = tuple(
    sorted(
        (value for module in _MODULES for value in vars(module).values() if isinstance(value, Check)),
        key=lambda each: each.code,
    )
)
"""The checks shipped, in the order of their codes."""

__all__ = [
    "CHECKS",
    "SHIPPED",
    "Check",
    "CheckContext",
    "Hit",
    "Remark",
    "TextPart",
    "Vocabulary",
    "WordListChange",
    "check",
    "quotable_texts",
    "rule",
    "run_checks",
]


def run_checks(context: CheckContext, checks: Iterable[Check] = CHECKS) -> tuple[Finding, ...]:
    """Return all findings, those that block first, else in the order of the checks.

    An end or a cancellation needs no second person, because a late one does more harm: level `second` is `advise`.
    """
    findings = [finding for each in checks for finding in each.find(context)]
    if context.message.stage in {Stage.END, Stage.CANCELLATION}:
        findings = [
            replace(finding, level=Level.ADVISE) if finding.level is Level.SECOND else finding for finding in findings
        ]
    return by_level(findings)
