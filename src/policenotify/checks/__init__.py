"""Checks of a message's content. An error stops the publication.

A check is a value: a permanent code, its basis, and a function from a
[`CheckContext`][policenotify.checks.CheckContext] to remarks, made by the decorator
[`check`][policenotify.checks.check]. An installation adds its own with `checks=` of `Publisher`. Codes that begin with
`PN` are reserved.

*A warning message's five contents*, in the basis of a check, are source, hazard, place, guidance and time (Mileti and
Sorensen, *Communication of Emergency Public Warnings*, ORNL-6609, 1990).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from policenotify.checks import incident, links, orthography, wording
from policenotify.checks.check import Check, CheckContext, Remark, check
from policenotify.findings import Finding, Level

CHECKS: Final[tuple[Check, ...]] = tuple(
    sorted(
        (
            value
            for module in (incident, links, orthography, wording)
            for value in vars(module).values()
            if isinstance(value, Check)
        ),
        key=lambda each: each.code,
    )
)
"""The checks shipped, in the order of their codes."""

__all__ = ["CHECKS", "Check", "CheckContext", "Remark", "check", "run_checks"]


def run_checks(context: CheckContext, checks: Iterable[Check] = CHECKS) -> tuple[Finding, ...]:
    """Return all findings, errors first, else in the order of the checks."""
    findings = [finding for each in checks for finding in each.find(context)]
    levels = list(Level)
    return tuple(sorted(findings, key=lambda finding: levels.index(finding.level)))
