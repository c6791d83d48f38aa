"""The findings of checks on a message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from policenotify.translation import AnyText, Text


class Level(StrEnum):
    """The weight of a finding.

    `block`: another person approves the message first, with a written reason. From severity Severe on, urgency and a
    written reason are enough, unless its code is one of `NEVER_URGENT`. `second`: another person approves it first, or
    it is urgent, with a written reason. `advise`: the message goes out all the same.
    """

    BLOCK = "block"
    SECOND = "second"
    ADVISE = "advise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One remark of a check on a message.

    Reason and remedy hold no words of the message: they stand in logs and exceptions. `excerpt` cuts those out.

    Attributes:
        code: The stable code of the rule: `PN101`.
        field: The field of the message that it is about.
        reason: The problem, in an officer's words.
        remedy: What to do, in the imperative.
        span: First and one-past-last character of the part of the field that it is about.
        source: The law, standard or study that the rule rests on.
        reason_fr: The reason in French, empty if there is none.
        remedy_fr: The remedy in French, empty if there is none.
    """

    code: str
    level: Level
    field: str
    reason: AnyText
    remedy: AnyText
    span: tuple[int, int] | None = None
    source: AnyText = ""
    reason_fr: str = ""
    remedy_fr: str = ""

    @property
    def blocks(self) -> bool:
        """True if the message does not go out as it is: another person must approve it, or it must be urgent."""
        return self.level is not Level.ADVISE

    def wording(self, language: str) -> tuple[AnyText, AnyText]:
        """Return reason and remedy in French for `fr`, else in English."""
        if language.partition("-")[0] == "fr" and self.reason_fr:
            return self.reason_fr, self.remedy_fr
        return self.reason, self.remedy

    def excerpt(self, texts: Mapping[str, str]) -> str:
        """Return the words that it is about, from the texts of the message by field."""
        start, end = self.span or (0, 0)
        return texts.get(self.field, "")[start:end]

    def quoting(self, excerpt: str) -> Text:
        """Return it as one line, with the words that it is about, if there are any."""
        place = Text("{field} “{excerpt}”:", field=Text.word(self.field), excerpt=excerpt)
        return Text(
            "{code} {level} · {place} {reason} {remedy}",
            code=self.code,
            level=self.level,
            place=place if excerpt else Text.word(f"{self.field}:"),
            reason=self.reason,
            remedy=self.remedy,
        )

    @property
    def text(self) -> Text:
        """The finding as one line."""
        return self.quoting("")

    def __str__(self) -> str:
        return str(self.text)


def by_level(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings, those that block first, else in their order."""
    levels = list(Level)
    return tuple(sorted(findings, key=lambda finding: levels.index(finding.level)))


NEVER_URGENT: Final = frozenset({"PN203", "PN210"})
"""The codes of findings of level `block` that no urgency lifts: what leads to a minor, or to the home of a victim."""


def are_blocking(findings: Iterable[Finding]) -> bool:
    """Return True if a finding is of level `block`."""
    return any(finding.level is Level.BLOCK for finding in findings)


APPROVAL_MISSING = "PN601"
"""The code of the finding that others must read a message before it is published."""


def images_left(channels: Iterable[str]) -> Finding:
    """Return the finding that images of an incident that ends stay on some channels."""
    return Finding(
        code="PN602",
        level=Level.ADVISE,
        field="images",
        reason=Text(
            "Its pictures are on these channels, or may still be: {channels}. None is deleted there.",
            channels=", ".join(channels),
        ),
        remedy=Text("Delete those posts there by hand. Ask the recipients of mails to delete the pictures."),
        source=Text("RGPD, art. 17."),
    )


LIMITS_SOURCE = Text("The installation's own limits of a channel: most_people, most_cost.")
"""The basis of the findings about the number of people and the cost."""


def audience_too_large(channel: str, limit: str) -> Finding:
    """Return the finding that a message would reach more people on a channel, or cost more, than it may."""
    return Finding(
        code="PN603",
        level=Level.BLOCK,
        field="message",
        reason=Text("On {channel!r} it would go beyond what the channel may: {limit}.", channel=channel, limit=limit),
        remedy=Text(
            "See how many: policenotify preview. Name a smaller place, or other channels (--to). If all of "
            "them must get it, another person approves it first, or an administrator raises the limit in the "
            "settings."
        ),
        source=LIMITS_SOURCE,
    )


def audience_uncounted(channel: str, problem: AnyText) -> Finding:
    """Return the finding that the people of a channel with a limit could not be counted."""
    return Finding(
        code="PN604",
        level=Level.ADVISE,
        field="message",
        reason=Text(
            "The people of {channel!r} cannot be counted, so its limits are not checked. {problem}",
            channel=channel,
            problem=problem,
        ),
        remedy=Text("To check the list: policenotify doctor"),
        source=LIMITS_SOURCE,
    )
