"""Which messages another person reads before they are published."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from policenotify.findings import Finding, demands_second
from policenotify.model.cap import Severity
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message

READ_FIRST: Final = frozenset({Stage.OPENING, Stage.UPDATE, Stage.CORRECTION, Stage.STANDALONE})
"""The stages that a rule is about by default. A late end is the worse error, and so ends and cancellations are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRule:
    """Which messages other people read before they are published. The first rule that matches counts.

    Attributes:
        categories: Messages of these categories.
        at_least: Messages of any category from this severity on. With neither of the two, all messages.
        stages: Only in these stages.
        readers: How many people must approve, none of whom wrote any revision. 0: no one needs to.
        expires: How long a submitted draft waits for them. Its own `expires_at` and `next_update_at` may come first.
        urgent: It may be published before they have read it, with a written reason. A second reading is then owed.
        within: How long after an urgent publication the second reading is due.
        auto: The last approval publishes.
        authenticated: Authors and readers count only if the caller has verified who they are (`authenticated=True`). On
            the command line, an actor is only named.
        except_actors: Actors by their exact names, such as a dispatch system, whose messages no one needs to approve.
    """

    categories: frozenset[str] = frozenset()
    at_least: Severity | None = None
    stages: frozenset[Stage] = READ_FIRST
    readers: int = 1
    expires: timedelta = timedelta(hours=2)
    urgent: bool = True
    within: timedelta = timedelta(minutes=30)
    auto: bool = True
    authenticated: bool = False
    except_actors: frozenset[str] = frozenset()

    def matches(self, message: Message) -> bool:
        """Return whether the rule is about this (resolved) message."""
        if message.stage not in self.stages:
            return False
        severe = self.at_least is not None and (message.severity or Severity.UNKNOWN).at_least(self.at_least)
        every = not self.categories and self.at_least is None
        return every or severe or message.category in self.categories


_DEFAULT: Final = ApprovalRule()


def rule_for(
    rules: Iterable[ApprovalRule], message: Message, findings: Iterable[Finding], actor: str
) -> ApprovalRule | None:
    """Return the rule by which others must read a message first, or `None`: no one needs to."""
    rule = next((rule for rule in rules if rule.matches(message)), None)
    if rule is not None and rule.readers > 0 and actor not in rule.except_actors:
        return rule
    return replace(rule or _DEFAULT, readers=1) if demands_second(findings) else None
