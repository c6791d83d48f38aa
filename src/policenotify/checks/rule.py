"""The form of a rule about content, and the context that it looks at."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from datetime import datetime, tzinfo
from functools import cache, cached_property
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

from policenotify.checks.text import TextPart
from policenotify.checks.words import SHIPPED, Vocabulary
from policenotify.findings import Finding, Level
from policenotify.model.cap import Severity
from policenotify.model.history import History
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.model.receipt import local_time
from policenotify.model.texts import PROSE, TextKind, text_fields
from policenotify.render.locales import LOCALES, CategoryProfile, Locale, best_match
from policenotify.text.characters import visible
from policenotify.text.comparison import affirms
from policenotify.translation import Text

FIVE_CONTENTS: Final = "A warning message's five contents"
"""The basis of several rules. See `policenotify.checks`."""

CALLS_TO_ACT: Final = frozenset({Stage.OPENING, Stage.UPDATE, Stage.STANDALONE})
"""The stages of a message that readers must act on."""

_LEVELS: Final = tuple(Level)


@dataclass(frozen=True, kw_only=True)
class CheckContext:
    """A message as it would be published, and what is needed to judge it.

    Attributes:
        message: The resolved message.
        is_commune: Returns True for the INSEE code of a present commune.
        communes_meant: Returns the communes that a postcode may mean, in one line with their INSEE codes.
        communes_named: Returns the INSEE codes of the communes of a name.
        zone: The readers' time zone.
        mentions: Accounts that some channel may mention, without `@`.
        links: Hosts to which a message may link, such as `police.fr`, or `.gouv.fr` for all below it. Empty: any.
        typed: The message as the desk wrote it, unless that is the resolved one.
        traffic: The formats for traffic partners that some channel writes.
        open_places: For an end, the places of the other open incidents: `Montpellier, avenue de Toulouse`.
    """

    message: Message
    profile: CategoryProfile
    history: History
    is_commune: Callable[[str], bool]
    zone: tzinfo
    now: datetime
    locales: Mapping[str, Locale] = attribute(default_factory=lambda: LOCALES)
    mentions: frozenset[str] = frozenset()
    links: tuple[str, ...] = ()
    typed: Message | None = None
    words: Vocabulary = SHIPPED
    traffic: frozenset[str] = frozenset()
    open_places: tuple[str, ...] = ()
    communes_meant: Callable[[str], str] = lambda _code: ""
    communes_named: Callable[[str], frozenset[str]] = lambda _name: frozenset()

    @cached_property
    def parts(self) -> tuple[TextPart, ...]:
        """The texts of the message that a person may read, folded for comparison."""
        texts = every_text(self.message)
        return tuple(TextPart(name, language, text, self.words.of(language)) for language, name, text in texts if text)

    @cached_property
    def prose(self) -> tuple[TextPart, ...]:
        """Headline, description and instruction in each language."""
        return tuple(part for part in self.parts if part.field.rpartition(".")[2] in PROSE)

    def part(self, name: str) -> TextPart | None:
        """Return the text of a field."""
        return next((part for part in self.parts if part.field == name), None)

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

    @property
    def is_urgent(self) -> bool:
        """True for the opening or the end of a severe or extreme incident: to hold it back may cost lives."""
        return self.severity.at_least(Severity.SEVERE) and self.message.stage in {Stage.OPENING, Stage.END}

    def local(self, moment: datetime) -> Text:
        """Return a time in the readers' zone: `2026-06-05 18:30`."""
        return local_time(moment, self.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
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


@dataclass(frozen=True, slots=True)
class Hit:
    """A place in a message to which a rule applies.

    Attributes:
        span: Start and end in the field's text, `None` for the whole message or field.
        level: `None` for the first level of the rule.
        variant: Names other texts of the rule: those of `[PN202.variant.fr]` instead of `[PN202.fr]`.
        covered: The agreement in `Message.basis` covers it: the level is one lower.
        values: What stands for the names in braces in the texts of the rule. Never words of the message.
    """

    field: str
    span: tuple[int, int] | None = None
    level: Level | None = None
    variant: str = ""
    covered: bool = False
    values: Mapping[str, object] = attribute(default_factory=dict)


Texts = Mapping[str, Any]
"""Reasons and remedies by code, variant and language, as `PN1.toml` has them."""


def rule(
    code: str,
    *,
    basis: str,
    levels: tuple[Level, ...] = (Level.BLOCK,),
    urgent: Level = Level.BLOCK,
    orders: bool = True,
    title: str = "",
    texts: Callable[[], Texts] | None = None,
) -> Callable[[Callable[[CheckContext], Iterable[Hit]]], Rule]:
    """Return a decorator that makes a rule of a function yielding hits.

    Args:
        code: Its permanent code.
        basis: The standard, study or law that it rests on.
        levels: Those that its findings may have. A hit that names none has the first.
        urgent: The highest level in the opening or the end of a severe or extreme incident.
        orders: It judges instructions to readers, too. Otherwise it only advises on an order to leave, to gather or to
            take shelter.
        title: What it does, by default the docstring of the function.
        texts: Returns the reasons and remedies, by default those of this package for the first three signs of the code.
    """

    def decorate(function: Callable[[CheckContext], Iterable[Hit]]) -> Rule:
        def find(context: CheckContext) -> Iterator[Finding]:
            for hit in function(context):
                ordered = not orders and hit.span and (part := context.part(hit.field)) and _is_order(part, hit.span)
                level = Level.ADVISE if ordered else hit.level or levels[0]
                if hit.covered:
                    level = Level.SECOND if level is Level.BLOCK else Level.ADVISE
                if context.is_urgent:
                    level = max(level, urgent, key=_LEVELS.index)
                yield to_finding(hit, code, level, basis, (texts() if texts else shared_texts(code[:3]))[code])

        name = (title or function.__doc__ or code).rstrip(".")
        return Rule(code=code, title=name, basis=basis, levels=levels, find=find)

    return decorate


def _is_order(part: TextPart, span: tuple[int, int]) -> bool:
    """Return True if a place in a text is in a sentence that orders readers to leave, to gather or to take shelter."""
    at = min(part.word_at(span[0] - 1), len(part.tokens) - 1)
    return bool(part.within("order", part.sentence(at)))


def to_finding(hit: Hit, code: str, level: Level, basis: str, texts: Texts) -> Finding:
    """Return the finding of a hit, in both languages."""
    french, english = (texts.get(hit.variant, texts)[language] for language in ("fr", "en"))
    values_fr = {name: value.in_("fr") if isinstance(value, Text) else value for name, value in hit.values.items()}
    return Finding(
        code=code,
        level=level,
        field=hit.field,
        reason=Text(english["reason"], **hit.values),
        remedy=Text(english["remedy"], **hit.values),
        reason_fr=french["reason"].format_map(values_fr),
        remedy_fr=french["remedy"].format_map(values_fr),
        span=hit.span,
        source=basis,
    )


@cache
def shared_texts(hundred: str) -> Texts:
    """Return reasons and remedies of the codes that begin so: `PN1`."""
    return MappingProxyType(tomllib.loads((files(__package__) / "data" / f"{hundred}.toml").read_text("utf-8")))


def rules_in(*modules: object) -> tuple[Rule, ...]:
    """Return the rules of some modules, in the order of their codes."""
    rules = (value for module in modules for value in vars(module).values() if isinstance(value, Rule))
    return tuple(sorted(rules, key=lambda each: each.code))


def all_clears(context: CheckContext, text: str, language: str) -> list[bool | None]:
    """Return for each all-clear of a language if a text affirms it (True) or negates it (False)."""
    if not (locale := best_match(language, context.locales)):
        return []
    given = {"negations": locale.negations, "conjunctions": locale.conjunctions}
    return [affirms(text, phrase, **given) for phrase in locale.all_clear]


def texts_of(message: Message, name: str) -> Iterator[tuple[str, str]]:
    """Yield field and text of a field in each language, an empty text included."""
    for field in text_fields(message):
        if field.name in {name, f"translations.{field.language}.{name}"}:
            yield field.name, shown(field.text)


def every_text(message: Message, *kinds: TextKind) -> Iterator[tuple[str, str, str]]:
    """Yield language, field and text of everything of these kinds that a reader sees or hears, by default of all."""
    for field in text_fields(message):
        if not kinds or field.kind in kinds:
            yield field.language, field.name, shown(field.text)


def shown(text: str) -> str:
    """Return a text as it is published: without invisible signs, which could hide a word or a link."""
    return text if text.isascii() else "\n".join(map(visible, text.split("\n")))


def quotable_texts(message: Message, findings: Iterable[Finding]) -> dict[str, str]:
    """Return the texts of a published message that the spans of its findings fit, by field.

    A span is a place in the text as typed. It does not fit a field from which a house number was removed.
    """
    changed = {finding.field for finding in findings if finding.span is None}
    return {name: text for _, name, text in every_text(message) if name not in changed}
