"""All that the wordings of a message need to know, drawn together once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from functools import cached_property
from typing import Any, Concatenate, ParamSpec, TypeVar

from policenotify.channel import Picture
from policenotify.model.history import History
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message, Translation
from policenotify.render.locales.category import CategoryProfile
from policenotify.render.locales.phrases import Locale
from policenotify.render.places import Place, place_of, tagged
from policenotify.render.sentences import open_ended, paragraph, sentence, small
from policenotify.render.times import TimeFormatter
from policenotify.text.autolinks import repair
from policenotify.text.characters import clean, one_line
from policenotify.text.comparison import contains_words
from policenotify.text.french_spacing import set_no_break_spaces

_Told = ParamSpec("_Told")
_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True)
class Said:
    """What the desk says in one language, as it may be shown.

    Attributes:
        language: BCP 47: the language that is spoken.
        description: More about it.
        instruction: What readers should do.
        alts: What the pictures show; empty: as each picture says itself.
    """

    language: str
    description: str
    instruction: str
    alts: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class RenderContext:
    """A message in one language, with what it means and what came before it: what its wordings share.

    What is worked out for one channel is kept for the next ones, as long as the scene lives; nothing is worked out that
    no channel needs.

    Attributes:
        message: The resolved message.
        language: The language that is asked for.
        words: Its fixed phrases.
        profile: What the message's category means.
        now: When it is said; also what "today" is.
        zone: The readers' zone.
        sender: The service's name, unless the message has one.
        history: The incident's earlier publications.
        pictures: The message's pictures, in its order.
        reference: What people may call the incident, where its posts do not hang together.
        mentions: Accounts that may be mentioned, without `@`: the channel's; any other is named without it.
    """

    message: Message
    language: str
    words: Locale
    profile: CategoryProfile
    now: datetime
    zone: tzinfo
    sender: str
    history: History = field(default_factory=History)
    pictures: tuple[Picture, ...] = ()
    reference: str = ""
    mentions: frozenset[str] = frozenset()
    _made: dict[object, Any] = field(default_factory=dict, init=False, repr=False)

    def once(
        self, make: Callable[Concatenate[RenderContext, _Told], _Made], *told: _Told.args, **more: _Told.kwargs
    ) -> _Made:
        """What a function makes of the scene and of a few more values; it is called the first time only."""
        wanted = (make, told, *more.items())
        if wanted not in self._made:
            self._made[wanted] = make(self, *told, **more)
        made: _Made = self._made[wanted]
        return made

    def mentioning(self, mentions: frozenset[str]) -> RenderContext:
        """The scene on a channel that may mention these accounts."""
        return self if mentions == self.mentions else replace(self, mentions=mentions)

    @cached_property
    def text(self) -> Said:
        """The message's words in the language, or in its own when it does not speak that; they link nothing unmeant."""
        words = spoken(self.message, self.language)
        description, instruction = self._safe(clean(words.description)), self._safe(clean(words.instruction))
        return Said(words.language, description, instruction, words.alts)

    @cached_property
    def headline(self) -> str:
        """What happens, in one line; what the category is called, if nothing of it can be seen."""
        headline = self._safe(one_line(spoken(self.message, self.language).headline))
        return headline or self.profile.label(self.language)

    @cached_property
    def description(self) -> str:
        """More about it, as running text."""
        return paragraph(self.text.description)

    @cached_property
    def instruction(self) -> str:
        """What to do, as running text."""
        return paragraph(self.text.instruction)

    @cached_property
    def plain(self) -> str:
        """What happens, so that more may follow."""
        return open_ended(self.headline)

    @cached_property
    def tagged(self) -> str | None:
        """The same with the place in it as a hashtag; `None`: it does not name it."""
        return tagged(self.plain, self.place.name)

    @cached_property
    def detail(self) -> str:
        """Where, as far as the headline does not tell it."""
        return self.place.beyond(self.plain)

    @cached_property
    def times(self) -> str:
        """When, likewise."""
        return self.teller.holds(self.message, self.profile, self.plain)

    @cached_property
    def place(self) -> Place:
        """Where it is."""
        return place_of(self.message.location, self.words)

    @cached_property
    def teller(self) -> TimeFormatter:
        """Tells its times."""
        return TimeFormatter(self.words, self.now, self.zone)

    @cached_property
    def signature(self) -> str:
        """Who says it."""
        return one_line(self.message.sender or self.sender)

    @cached_property
    def is_opening(self) -> bool:
        """Whether nothing was said of it before."""
        return self.message.stage in {Stage.OPENING, Stage.STANDALONE}

    @cached_property
    def of_incident(self) -> bool:
        """Whether it belongs to an incident, or is of a kind that does: then category, stage and place come first."""
        return self.profile.opens_incident or self.message.incident is not None

    @property
    def mark(self) -> str:
        """The word for its stage; empty for what begins."""
        return self.words.marks.get(self.message.stage, "")

    @cached_property
    def named(self) -> str:
        """What people may call the incident: `Réf. K7Q2M`; empty outside incidents."""
        return self.words.reference.format(reference=self.reference) if self.reference else ""

    @cached_property
    def distinct(self) -> str:
        """What tells it from whatever else is said in the same words: `Réf. K7Q2M, 17h42`, else day and hour."""
        if not self.named:
            return self.words.full(self.now, self.now, self.zone)
        return f"{self.named}, {self.words.time(self.now, self.zone)}"

    @cached_property
    def first(self) -> RenderContext:
        """What opened the incident, or (when nothing is known) this."""
        opening = self.history.opening
        return self if opening is None or self.is_opening else replace(self, message=opening.message)

    @property
    def exercise(self) -> str:
        """What every post of an exercise begins with: `EXERCICE –`."""
        return f"{self.words.exercise}{self.words.dash}".strip() if self.message.exercise else ""

    @cached_property
    def context(self) -> str:
        """What it refers to, as a sentence, for those who have not seen it; empty for what begins.

        What was wrong or should not have been said is never said again: not by what takes it back, nor later.
        """
        opening, corrects = self.history.opening, self.message.lifecycle.corrects
        if self.is_opening:
            return ""
        if opening is not None and self.message.stage in {Stage.CORRECTION, Stage.CANCELLATION}:
            wrong = (self.history.entry(corrects) if corrects else None) or opening
            named = self.message.stage is Stage.CORRECTION and contains_words(
                self.headline, self.words.time(wrong.at, self.zone)
            )
            return "" if named else sentence(self.teller.withdraws(self.message.stage, wrong.at))
        corrected = {entry.message.lifecycle.corrects for entry in self.history.entries}
        if opening is None or self.profile.discreet or opening.publication in corrected:
            return sentence(self.words.context_unknown.format(label=self.profile.label(self.language)))
        if contains_words(self.headline, self.first.plain):
            return ""
        ongoing = rf" {re.escape(self.words.ongoing)}(?=[.,;:!?…]*(?:\s|\Z))"  # as a word; nothing else is joined by it
        headline = re.sub(ongoing, "", self.first.plain) if self.words.ongoing else self.first.plain
        return sentence(self.teller.context(self.after_colon(headline, self.first.place.whole()), opening.at))

    def _safe(self, text: str) -> str:
        return repair(text, self.mentions).text

    def set(self, text: str) -> str:
        """The text with the spaces that its language wants, for the finished text."""
        return set_no_break_spaces(text) if self.words.sets_spaces else text

    def after_colon(self, text: str, names: str) -> str:
        """The text as it goes on after a colon in this language."""
        return small(text, names) if self.words.lowers_after_colon else text


def spoken(message: Message, language: str) -> Translation:
    """A message's words in a language, or in its own when it does not speak that one."""
    words = message.wording(language) or message.wording(message.language)
    if words is None:  # pragma: no cover - a message always speaks its own language
        raise AssertionError(message.language)
    return words
