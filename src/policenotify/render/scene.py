"""All that the wording of one leg needs to know, drawn together once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from policenotify.lifecycle import Stage
from policenotify.message import Message, Translation
from policenotify.receipt import History
from policenotify.render.place import Place, place_of
from policenotify.render.sentences import open_ended, sentence, small
from policenotify.render.when import Teller
from policenotify.text.characters import clean, one_line
from policenotify.text.comparing import says
from policenotify.text.repair import repair
from policenotify.text.spacing import set_spaces
from policenotify.words.phrases import Words
from policenotify.words.profile import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A message in one language, with what it means and what came before it.

    Attributes:
        message: The resolved message.
        language: The language that is asked for.
        words: Its fixed phrases.
        profile: What the message's category means.
        now: When it is said.
        zone: The readers' zone.
        history: What was said of the incident before.
        sender: The service's name.
        reference: What people may call the incident; empty: its posts hang together, and need no name.
        hashtags: Readers can follow a hashtag.
        mentions: Handles that may be mentioned, without `@`; others are named without it.
    """

    message: Message
    language: str
    words: Words
    profile: Profile
    now: datetime
    zone: tzinfo
    history: History
    sender: str
    reference: str = ""
    hashtags: bool = True
    mentions: frozenset[str] = frozenset()

    @property
    def said(self) -> Translation:
        """The message's words in the language, or in its own when it does not speak that; they link nothing unmeant."""
        words = spoken(self.message, self.language)
        safe = {name: self._safe(clean(getattr(words, name))) for name in ("headline", "description", "instruction")}
        return words.model_copy(update=safe)

    @property
    def headline(self) -> str:
        """What happens, in one line."""
        return self.headline_of(self.message)

    def headline_of(self, message: Message) -> str:
        """The headline of this or an earlier message; what the category is called, if it holds nothing to be seen."""
        headline = self._safe(one_line(spoken(message, self.language).headline))
        return headline or self.profile.label(self.language)

    @property
    def place(self) -> Place:
        """Where it is."""
        return place_of(self.message.location, self.words)

    @property
    def teller(self) -> Teller:
        """Tells its times."""
        return Teller(self.words, self.now, self.zone)

    @property
    def begins(self) -> bool:
        """Whether nothing was said of it before."""
        return self.message.stage in {Stage.OPENING, Stage.STANDALONE}

    @property
    def of_incident(self) -> bool:
        """Whether it belongs to an incident, or is of a kind that does: then category, stage and place come first."""
        return self.profile.opens_incident or self.message.incident is not None

    @property
    def mark(self) -> str:
        """The word for its stage; empty for what begins."""
        return self.words.marks.get(self.message.stage, "")

    @property
    def first(self) -> Message:
        """The message that opened the incident, or (when nothing is known) this one."""
        return self.history.opening.message if self.history.opening and not self.begins else self.message

    def context(self) -> str:
        """What it refers to, as a sentence, for those who have not seen it; empty for what begins."""
        opening = self.history.opening
        if self.begins:
            return ""
        if opening is None or self.profile.discreet:
            return sentence(self.words.context_unknown.format(label=self.profile.label(self.language)))
        headline = open_ended(self.headline_of(opening.message))
        if says(self.headline, headline):
            return ""
        headline = headline.replace(f" {self.words.ongoing}", "")
        names = place_of(opening.message.location, self.words).whole()
        return sentence(self.teller.context(self.after_colon(headline, names), opening.at))

    def _safe(self, text: str) -> str:
        return repair(text, self.mentions).text

    def set(self, text: str) -> str:
        """The text with the spaces that its language wants, for the finished text."""
        return set_spaces(text) if self.words.sets_spaces else text

    def after_colon(self, text: str, names: str) -> str:
        """The text as it goes on after a colon in this language."""
        return small(text, names) if self.words.lowers_after_colon else text


def spoken(message: Message, language: str) -> Translation:
    """A message's words in a language, or in its own when it does not speak that one."""
    words = message.wording(language) or message.wording(message.language)
    if words is None:  # pragma: no cover - a message always speaks its own language
        raise AssertionError(message.language)
    return words
