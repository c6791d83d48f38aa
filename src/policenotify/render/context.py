"""The context that all renderings of a message in one language share."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from functools import cached_property
from typing import Final

from policenotify.channel import Picture
from policenotify.model.cap import Severity, Urgency
from policenotify.model.history import History, HistoryEntry, Outcome, Target
from policenotify.model.lifecycle import Stage
from policenotify.model.locale import Locale
from policenotify.model.message import Message, Translation
from policenotify.render.locales.category import CategoryProfile
from policenotify.render.places import LONGEST, Place, place_of
from policenotify.render.sentences import open_ended, paragraph, sentence, sentences
from policenotify.render.times import TimeFormatter
from policenotify.text.characters import clean, one_line
from policenotify.text.comparison import contains_words
from policenotify.text.links import add_missing_spaces

_NOT_NOW: Final = frozenset({Urgency.EXPECTED, Urgency.FUTURE, Urgency.PAST})


@dataclass(frozen=True, eq=False, kw_only=True)
class RenderContext:
    """A message in one language, with its meaning and history.

    Values are computed at first use and shared by all channels of the language.

    Attributes:
        language: The language of the channel.
        now: The time of publication, which also decides what "today" is.
        zone: The readers' time zone.
        sender: The service's name, unless the message has one.
        reference: The public reference of the incident, for networks without threads.
        thread: What stands for the incident's id in a structured post: 16 hexadecimal digits.
        mentions: Accounts that the channel may mention, without `@`. Other accounts are named without it.
        is_shared: Several communes have the name of its place.
    """

    message: Message
    language: str
    locale: Locale
    profile: CategoryProfile
    now: datetime
    zone: tzinfo
    sender: str
    history: History = field(default_factory=History)
    pictures: tuple[Picture, ...] = ()
    reference: str = ""
    thread: str = ""
    mentions: frozenset[str] = frozenset()
    is_shared: bool = False

    @cached_property
    def translation(self) -> Translation:
        """The desk's text in the language, else in the message's own."""
        message = self.message
        return next(filter(None, map(message.wording, (self.language, message.language))))

    @cached_property
    def typed_description(self) -> str:
        """The description with its lines, and what is known and what is not, in a sentence each."""
        lines, known = [self.translation.description], self.translation.known
        if known and known.confirmed:
            lines.append(sentence(self.locale.confirmed.format(text=known.confirmed)))
        if known and known.unconfirmed:
            lines.append(sentence(self.locale.unconfirmed.format(text=known.unconfirmed)))
        return self._repaired(clean("\n".join(lines)))

    @cached_property
    def typed_instruction(self) -> str:
        """The instruction with its lines, and how readers reach the service, unless it is over or a text holds it."""
        words, contact = self.translation, self.profile.contact_in(self.language)
        text = f"{words.headline}\n{words.description}\n{words.instruction}"
        is_over = self.message.stage in {Stage.END, Stage.CANCELLATION}
        left_out = not contact or is_over or contains_words(text, contact)
        reached = "" if left_out else self.locale.contact.format(contact=contact)
        return self._repaired(clean(f"{words.instruction}\n{reached}"))

    @cached_property
    def headline(self) -> str:
        """The headline in one line, or the category's label if nothing of it is visible."""
        headline = self._repaired(one_line(self.translation.headline))
        return headline or self.label

    @cached_property
    def description(self) -> str:
        """The description as running text."""
        return paragraph(self.typed_description)

    @cached_property
    def instruction(self) -> str:
        """The instruction, each order that was typed on a line of its own there."""
        return sentences(self.typed_instruction)

    @cached_property
    def open_headline(self) -> str:
        """The headline without its full stop, so that more may follow."""
        return open_ended(self.headline)

    @cached_property
    def tagged_headline(self) -> str | None:
        """The open headline with the place in it as a hashtag, if it names it."""
        return self.place.tagged_in(self.open_headline)

    @cached_property
    def place_details(self) -> str:
        """Street, district and road, as far as the headline does not name them."""
        longest = None if self.is_opening else LONGEST
        return self.place.details_missing_in(self.open_headline, longest=longest)

    @cached_property
    def period(self) -> str:
        """When the message holds, as far as the headline does not state it. Empty for what never happened."""
        return "" if self.message.stage is Stage.CANCELLATION else self.times.period(self.open_headline)

    @cached_property
    def place(self) -> Place:
        """The place in words."""
        return place_of(self.message.location, self.locale, is_shared=self.is_shared)

    @cached_property
    def source(self) -> str:
        """Who it relays. Empty for a message of the service's own, and for a cancellation."""
        source = self._repaired(one_line(self.message.source or self.profile.source_in(self.language)))
        return "" if self.message.stage is Stage.CANCELLATION else source

    @cached_property
    def source_mark(self) -> str:
        """The source in brackets, to go on after the headline, unless a text names it: ` (source : Météo-France)`."""
        text = f"{self.headline} {self.typed_description} {self.typed_instruction}"
        named = not self.source or contains_words(text, self.source)
        return "" if named else f" ({self.locale.source.format(source=self.source)})"

    @cached_property
    def times(self) -> TimeFormatter:
        """The formatter of its times."""
        return TimeFormatter(self.message, self.of_incident, self.locale, self.now, self.zone, self.profile.start)

    @cached_property
    def signature(self) -> str:
        """The name of the sender."""
        return one_line(self.message.sender or self.sender)

    @cached_property
    def is_opening(self) -> bool:
        """True if nothing was published of it before."""
        return self.message.stage in {Stage.OPENING, Stage.STANDALONE}

    @cached_property
    def of_incident(self) -> bool:
        """True if it belongs to an incident, or its category opens them."""
        return self.profile.opens_incident or self.message.incident is not None

    @cached_property
    def is_severe(self) -> bool:
        """True if what to do comes before all else."""
        return (self.message.severity or self.profile.severity).at_least(Severity.SEVERE)

    @cached_property
    def label(self) -> str:
        """The public name of its category, with the colour that its severity has there."""
        return self.profile.label(self.language, self.message.severity)

    @cached_property
    def category_tag(self) -> str:
        """The category's own hashtag without `#`, empty if it has none."""
        return self.profile.hashtag(self.language, self.message.severity)

    @cached_property
    def mark(self) -> str:
        """The word for its stage. Empty for what stands alone, and for an opening that is not under way."""
        stage, start = self.message.stage, self.message.starts_at
        later = (start and start > self.now) or (self.message.urgency or self.profile.urgency) in _NOT_NOW
        if stage is Stage.OPENING and (later or not self.profile.ongoing):
            return ""
        return self.profile.stage_mark(stage, self.locale.language) or self.locale.marks.get(stage, "")

    def heading(self, name: str) -> str:
        """Return the name of its category with the word for its stage."""
        return f"{name}{self.locale.dash}{self.mark}" if self.mark else name

    @cached_property
    def incident_name(self) -> str:
        """The public name of the incident, such as `Réf. K7Q2M`. Empty outside incidents."""
        return self.locale.reference.format(reference=self.reference) if self.reference else ""

    @cached_property
    def unique_suffix(self) -> str:
        """A suffix that no other post has: `Réf. K7Q2M, 17h42`, else day and hour."""
        if not self.incident_name:
            return self.locale.date_and_time(self.now, self.now, self.zone)
        return f"{self.incident_name}, {self.locale.time(self.now, self.zone)}"

    @cached_property
    def opening(self) -> RenderContext:
        """The context of the incident's opening, or this one if none is known."""
        opening = self.history.opening
        return self if opening is None or self.is_opening else replace(self, message=opening.message)

    @property
    def exercise_mark(self) -> str:
        """The beginning of every post of an exercise: `EXERCICE –`."""
        return f"{self.locale.exercise}{self.locale.dash}".strip() if self.message.exercise else ""

    @cached_property
    def referred(self) -> HistoryEntry | None:
        """What it refers to: the publication that it corrects, else the opening."""
        return self.history.entry(self.message.lifecycle.corrects or "") or self.history.opening

    def has_reached(self, target: Target) -> bool:
        """Return True if what it refers to has certainly appeared to these readers, and is there still."""
        referred = self.referred
        while referred and not referred.posts and (corrects := referred.message.lifecycle.corrects):
            referred = self.history.entry(corrects)  # an edit has no post of its own
        posts = referred.posts if referred else ()
        place = (target.account, target.language, Outcome.POSTED)
        return any((post.account, post.language, post.outcome) == place for post in posts)

    @cached_property
    def back_reference(self) -> str:
        """A sentence on what it refers to, empty for an opening.

        Words that were wrong or withdrawn are never repeated, neither by the withdrawal nor later.
        """
        opening = self.referred
        if self.is_opening or opening is None:
            return ""
        if self.message.stage in {Stage.CORRECTION, Stage.CANCELLATION}:
            correction = self.message.stage is Stage.CORRECTION
            if correction and contains_words(self.headline, self.locale.time(opening.at, self.zone)):
                return ""
            phrase = self.locale.context_correction if correction else self.locale.context_cancellation
            return sentence(self.locale.fill(phrase, opening.at, self.now, self.zone))
        if self.profile.discreet or opening not in self.history.standing.values():
            return ""
        headline = self.opening.open_headline
        if contains_words(self.headline, headline) or self.opening.label != self.label:  # its colour may be in it
            return ""
        if mark := self.locale.marks.get(Stage.OPENING):  # what was under way then may be over
            as_a_word = rf" {re.escape(mark)}(?=[.,;:!?…]*(?:\s|\Z))"
            headline = re.sub(as_a_word, "", headline, flags=re.IGNORECASE)
        words = {"headline": headline, "colon": self.locale.colon}
        return sentence(self.locale.fill(self.locale.context, opening.at, self.now, self.zone, **words))

    def _repaired(self, text: str) -> str:
        """Return a text without unintended links and mentions."""
        return add_missing_spaces(text, self.mentions)
