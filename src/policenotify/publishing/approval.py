"""Which messages another person reads before they are published."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Final

from pydantic import Field

from policenotify.findings import NEVER_URGENT, Level
from policenotify.journal.records import NewPublication
from policenotify.model.cap import Severity
from policenotify.model.lifecycle import FrozenModel, Stage
from policenotify.model.message import CategoryCode, Message

_READ_FIRST: Final = tuple(stage for stage in Stage if stage not in {Stage.END, Stage.CANCELLATION})
"""The stages that a rule is about by default. A late end is the worse error, and so ends and cancellations are not."""


class ApprovalRule(FrozenModel):
    """Which messages other people read before they are published. The first rule that matches counts.

    Attributes:
        categories: Messages of these categories.
        at_least: Messages of any category from this severity on. With neither of the two, all messages.
        stages: Only in these stages, by default all but `end` and `cancellation`. One of another stage counts, too, if
            it is of a category that its incident was not, or more severe.
        readers: How many people must approve, none of whom wrote any revision. 0: no one needs to.
        expires: How long a submitted draft waits for them. Its own `expires_at` and `next_update_at` may come first.
        urgent: It may be published before they have read it, with a written reason. A second reading is then owed.
        within: How long after an urgent publication the second reading is due.
        authenticated: Authors and readers count only if the caller has verified who they are (`authenticated=True`). On
            the command line, an actor is only named.
    """

    categories: frozenset[CategoryCode] = frozenset()
    at_least: Severity | None = None
    stages: tuple[Stage, ...] = Field(default=_READ_FIRST, min_length=1)
    readers: int = Field(default=1, ge=0, le=9)
    expires: timedelta = Field(default=timedelta(hours=2), gt=timedelta(0))
    urgent: bool = True
    within: timedelta = Field(default=timedelta(minutes=30), gt=timedelta(0))
    authenticated: bool = False

    def matches(self, categories: AbstractSet[str], severity: Severity) -> bool:
        """Return whether the rule is about one of these categories, or so severe a message."""
        severe = self.at_least is not None and severity.at_least(self.at_least)
        every = not self.categories and self.at_least is None
        return every or severe or bool(categories & self.categories)


def rule_for(
    rules: Iterable[ApprovalRule], new: NewPublication, usual: Callable[[str], Severity]
) -> ApprovalRule | None:
    """Return the rule by which others must read a message first, or `None`: no one needs to.

    What counts is the highest severity of the message, its category and its incident, and each category of these: a
    message that is called less severe, or an end, does not pass by its name. A finding of level `block` or `second`
    asks for one reader at least.

    Args:
        rules: The rules.
        new: The publication.
        usual: Returns the severity of a category.
    """
    message, codes = new.message, {each.category for each in new.earlier}
    severity, known = _highest((message, *new.earlier), usual), _highest(new.earlier, usual)
    own = message.severity or Severity.UNKNOWN
    worse = bool(new.earlier) and (message.category not in codes or own.rank > known.rank)
    matching = (rule for rule in rules if worse or message.stage in rule.stages)
    rule = next((rule for rule in matching if rule.matches({message.category, *codes}, severity)), None)
    if not any(finding.blocks for finding in new.findings):
        return rule if rule is not None and rule.readers > 0 else None
    rule, blocking = rule or ApprovalRule(), {each.code for each in new.findings if each.level is Level.BLOCK}
    urgent = not blocking or (severity.at_least(Severity.SEVERE) and not blocking & NEVER_URGENT)
    return rule.model_copy(update={"readers": max(1, rule.readers), "urgent": rule.urgent and urgent})


def _highest(messages: Iterable[Message], usual: Callable[[str], Severity]) -> Severity:
    known = [each for message in messages for each in (message.severity, usual(message.category)) if each]
    return max(known, key=lambda severity: severity.rank, default=Severity.UNKNOWN)
