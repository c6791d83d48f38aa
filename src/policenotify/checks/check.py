"""The form of a check, and the context that it looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Final

from policenotify.findings import Finding, Level
from policenotify.model.cap import Severity
from policenotify.model.history import History
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.render.locales import LOCALES, CategoryProfile, Locale

FIVE_CONTENTS: Final = "A warning message's five contents"
"""The basis of several checks. See `policenotify.checks`."""

CALLS_TO_ACT: Final = frozenset({Stage.OPENING, Stage.UPDATE, Stage.STANDALONE})
"""The stages of a message that readers must act on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckContext:
    """A message as it would be published, and what is needed to judge it.

    Attributes:
        message: The resolved message.
        is_commune: Returns True for the INSEE code of a present commune.
        zone: The readers' time zone.
        mentions: Accounts that some channel may mention, without `@`.
        links: Hosts to which a message may link, such as `police.fr`, or `.gouv.fr` for all below it. Empty: any.
        names: The words for accounts (`@PompiersHerault`) of the installation.
        typed: The message as the desk wrote it, unless that is the resolved one.
    """

    message: Message
    profile: CategoryProfile
    history: History
    is_commune: Callable[[str], bool]
    zone: tzinfo
    now: datetime
    locales: Mapping[str, Locale] = field(default_factory=lambda: LOCALES)
    mentions: frozenset[str] = frozenset()
    links: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    typed: Message | None = None

    @property
    def of_incident(self) -> bool:
        """True if it belongs to an incident, or its category opens them."""
        return self.profile.opens_incident or self.message.incident is not None

    @property
    def severity(self) -> Severity:
        """The message's severity, else that of its category."""
        return self.message.severity or self.profile.severity

    def local(self, moment: datetime) -> str:
        """Return a time in the readers' zone: `2026-06-05 18:30`."""
        return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True)
class Remark:
    """One remark of a check, for an officer.

    Field and level replace those of the check. `span` is start and end in the field's text, if they are known.
    """

    reason: str
    remedy: str
    field: str = ""
    level: Level | None = None
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A rule about content.

    Attributes:
        code: Its permanent code.
        basis: The standard, study or law that it rests on.
        levels: Those that its findings may have.
        find: Yields its findings about a message.
    """

    code: str
    title: str
    basis: str
    levels: tuple[Level, ...] = (Level.ERROR,)
    find: Callable[[CheckContext], Iterable[Finding]]


def check(
    code: str, *, basis: str, field: str = "", levels: tuple[Level, ...] = (Level.ERROR,)
) -> Callable[[Callable[[CheckContext], Iterable[Remark]]], Check]:
    """Return a decorator that makes a check of a function yielding remarks.

    The docstring of the function is the title. A remark that names no field has *field*, and one that names no level
    the first of *levels*.
    """

    def decorate(function: Callable[[CheckContext], Iterable[Remark]]) -> Check:
        def find(context: CheckContext) -> Iterator[Finding]:
            for remark in function(context):
                yield Finding(
                    code=code,
                    level=remark.level or levels[0],
                    field=remark.field or field,
                    reason=remark.reason,
                    remedy=remark.remedy,
                    span=remark.span,
                )

        title = (function.__doc__ or code).rstrip(".")
        return Check(code=code, title=title, basis=basis, levels=levels, find=find)

    return decorate


def texts_of(message: Message, *names: str) -> Iterator[tuple[str, str, str]]:
    """Yield language, field and text of these fields, in each language."""
    for name in names:
        yield message.language, name, getattr(message, name)
        for translation in message.translations:
            yield translation.language, f"translations.{translation.language}.{name}", getattr(translation, name)
