"""The form of a check, and the context that it looks at."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import cache, cached_property
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from policenotify.checks.folds import FoldedText
from policenotify.checks.names import PersonName, names_in
from policenotify.checks.words import SHIPPED, TextPart, Vocabulary
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


def _is_no_place(_name: str) -> bool:
    return False


def _no_communes(_name: str) -> frozenset[str]:
    return frozenset()


@dataclass(frozen=True, kw_only=True)
class CheckContext:
    """A message as it would be published, and what is needed to judge it.

    Attributes:
        message: The resolved message.
        is_commune: Returns True for the INSEE code of a present commune.
        is_place_name: Returns True for the name of a commune.
        communes_named: Returns the INSEE codes of the communes of a name.
        zone: The readers' time zone.
        mentions: Accounts that some channel may mention, without `@`.
        links: Hosts to which a message may link, such as `police.fr`, or `.gouv.fr` for all below it. Empty: any.
        names: The words for accounts (`@PompiersHerault`) of the installation.
        typed: The message as the desk wrote it, unless that is the resolved one.
        words: The word lists of the installation.
        file_names: Language, field and name of each picture that was given as a file.
        traffic: The formats for traffic partners that some channel writes.
        open_places: For an end, the places of the other open incidents: `Montpellier, avenue de Toulouse`.
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
    words: Vocabulary = SHIPPED
    file_names: tuple[tuple[str, str, str], ...] = ()
    traffic: frozenset[str] = frozenset()
    open_places: tuple[str, ...] = ()
    is_place_name: Callable[[str], bool] = _is_no_place
    communes_named: Callable[[str], frozenset[str]] = _no_communes

    @cached_property
    def parts(self) -> tuple[TextPart, ...]:
        """The texts of the message that a person may read, folded for comparison."""
        message = self.typed or self.message
        return tuple(
            TextPart(name, language, FoldedText(text, hashtag=name.startswith("hashtags.")), self.words.of(language))
            for language, name, text in (*every_text(message), *self.file_names)
            if text
        )

    @cached_property
    def prose(self) -> tuple[TextPart, ...]:
        """Headline, description and instruction in each language."""
        return tuple(
            part
            for part in self.parts
            if part.field.removeprefix(f"translations.{part.language}.") in {"headline", "description", "instruction"}
        )

    @cached_property
    def persons(self) -> Mapping[str, list[PersonName]]:
        """The names of persons in each text, by field."""
        place = self.message.location
        stated = " ".join(filter(None, (place.street, place.district, *(place.between or ())))) if place else ""
        known = frozenset(token.word for token in FoldedText(stated).tokens)
        return {
            part.field: [
                name
                for name in names_in(part, self.is_place_name, known)
                if not part.words.holds("papers", part.folded.tokens[name.first].word)  # `Iban` is a first name
            ]
            for part in self.parts
        }

    def agreed(self, *who: str) -> bool:
        """Return True if one of these agreed to the publication."""
        return any(basis.who in who for basis in self.message.basis)

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
        return f"{self.local_time(moment):%Y-%m-%d %H:%M}"

    def local_time(self, moment: datetime) -> datetime:
        """Return a time in the readers' zone."""
        return moment.astimezone(self.zone)


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
        title: What it does, in one imperative sentence.
        basis: The standard, study or law that it rests on.
        levels: Those that its findings may have.
        find: Yields its findings about a message.
    """

    code: str
    title: str
    basis: str
    levels: tuple[Level, ...] = (Level.BLOCK,)
    find: Callable[[CheckContext], Iterable[Finding]]


def check(
    code: str, *, basis: str, field: str = "", levels: tuple[Level, ...] = (Level.BLOCK,)
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
                    source=basis,
                )

        title = (function.__doc__ or code).rstrip(".")
        return Check(code=code, title=title, basis=basis, levels=levels, find=find)

    return decorate


@dataclass(frozen=True, slots=True)
class Hit:
    """A place in a message to which a rule applies.

    Attributes:
        field: The field of the message.
        span: Start and end in the field's text as typed, `None` for the whole message or field.
        level: `None` for the first level of the rule.
        variant: Names other texts of the rule: those of `[PN202.variant.fr]` instead of `[PN202.fr]`.
        covered: The agreement in `Message.basis` covers it: the level is one lower.
    """

    field: str
    span: tuple[int, int] | None = None
    level: Level | None = None
    variant: str = ""
    covered: bool = False


def rule(
    code: str, *, basis: str, levels: tuple[Level, ...] = (Level.BLOCK,)
) -> Callable[[Callable[[CheckContext], Iterable[Hit]]], Check]:
    """Return a decorator that makes a check of a function yielding hits.

    The docstring of the function is the title. Reason and remedy, in French and English, are in `data/PN2.toml` and its
    siblings.
    """

    def decorate(function: Callable[[CheckContext], Iterable[Hit]]) -> Check:
        def find(context: CheckContext) -> Iterator[Finding]:
            for hit in function(context):
                level = hit.level or levels[0]
                table = texts(code[:3])[code]
                table = table.get(hit.variant, table)
                yield Finding(
                    code=code,
                    level=level.lowered() if hit.covered else level,
                    field=hit.field,
                    reason=table["en"]["reason"],
                    remedy=table["en"]["remedy"],
                    reason_fr=table["fr"]["reason"],
                    remedy_fr=table["fr"]["remedy"],
                    span=hit.span,
                    source=basis,
                )

        return Check(code=code, title=(function.__doc__ or code).rstrip("."), basis=basis, levels=levels, find=find)

    return decorate


@cache
def texts(hundred: str) -> Mapping[str, Any]:
    """Return reasons and remedies by code, of the codes that begin so: `PN2`."""
    return MappingProxyType(tomllib.loads((files(__package__) / "data" / f"{hundred}.toml").read_text("utf-8")))


def texts_of(message: Message, *names: str) -> Iterator[tuple[str, str, str]]:
    """Yield language, field and text of these fields, in each language."""
    for name in names:
        yield message.language, name, getattr(message, name)
        for translation in message.translations:
            yield translation.language, f"translations.{translation.language}.{name}", getattr(translation, name)


def seen_texts(message: Message) -> Iterator[tuple[str, str, str]]:
    """Yield language, field and text of everything that readers see."""
    language = message.language
    yield from texts_of(message, "headline", "description", "instruction")
    translated = ((each.language, f"translations.{each.language}.", each.known) for each in message.translations)
    for spoken, prefix, known in ((language, "", message.known), *translated):
        yield from ((spoken, f"{prefix}known.{name}", sentence or "") for name, sentence in known or ())
    yield language, "source", message.source or ""
    if place := message.location:
        for name in ("label", "street", "district", "line"):
            yield language, f"location.{name}", getattr(place, name) or ""
        for number, end in enumerate(place.between or ()):
            yield language, f"location.between.{number}", end
        if road := place.road:
            yield language, "location.road.direction", road.direction or ""
            yield language, "location.road.exit", road.exit or ""


def every_text(message: Message) -> Iterator[tuple[str, str, str]]:
    """Yield language, field and text of everything that a reader sees or hears."""
    yield from seen_texts(message)
    for number, image in enumerate(message.images):
        yield message.language, f"images.{number}.alt", image.alt
    for number, tag in enumerate(message.hashtags):
        yield message.language, f"hashtags.{number}", tag
    for translation in message.translations:
        for number, alt in enumerate(translation.alts):
            yield translation.language, f"translations.{translation.language}.alts.{number}", alt


def quotable_texts(message: Message, findings: Iterable[Finding]) -> dict[str, str]:
    """Return the texts of a published message that the spans of its findings fit, by field.

    A span is a place in the text as typed. It does not fit a field from which a house number was removed.
    """
    changed = {finding.field for finding in findings if finding.span is None}
    return {name: text for _, name, text in every_text(message) if name not in changed}
