"""The parts of a short post, in the style of French police accounts.

In the order of reading:

1. the mark of an exercise, the emoji of category or stage, `[#Category – STAGE]` and the place (**required**)
2. the headline, with street and time if it does not name them (**required**)
3. for a later message that stands alone, what it refers to
4. the description
5. the instruction (**required**)
6. the time of the next update, or until when it holds (**required**)
7. the link, the incident's reference where posts do not hang together, the sender where readers see no account, and
   hashtags, up to three in all. The category's is among them if hashtags in brackets do not work.

Parts that are not required are left out in this order: the description, shortened sentence by sentence first (word by
word outside incidents), the hashtags from the last one, the link, and what the message refers to. If the required
parts do not fit, they become a thread. If that is not possible, a brief post gives what, where, the first sentence of
the instruction, and where the rest is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from policenotify.model.lifecycle import Stage
from policenotify.render.context import RenderContext
from policenotify.render.places import tagged
from policenotify.render.sentences import sentence, upper_first
from policenotify.text.comparison import contains_words
from policenotify.text.fit import Part, Rule, first_sentence
from policenotify.text.spans import hashtag, spans_of

MAX_TAGS: Final = 3
"""The most hashtags in a post: category, place, one more.

An agreed hashtag spreads a warning, more of them only take space (Sutton et al., *PNAS* 112(48), 2015).
"""

_DESCRIPTION, _TAG, _LINK, _CONTEXT = range(4)  # the order in which parts are left out
_VALIDITY, _REST = range(2)  # the same, in a brief post
REFERENCE: Final = "reference"
"""The name of the part with the incident's reference."""

_STOPS: Final = ".,;:!?…"


@dataclass(frozen=True, eq=False)
class ShortPost:
    """A message on short-post networks with the same capabilities.

    Attributes:
        context: The message.
        hashtags: Readers can follow a hashtag.
        bracketed: They can follow one in a bracket. Otherwise the category's hashtag ends the post.
        identifier: A suffix that identifies the incident or the post: `Réf. K7Q2M`. Empty if none is needed.
        signed: The post names its sender, because readers have nothing of the incident and see no account.
        hard_spaces: The network has no-break spaces.
    """

    context: RenderContext
    hashtags: bool
    bracketed: bool
    identifier: str
    signed: bool
    hard_spaces: bool

    @cached_property
    def reply(self) -> tuple[Part, ...]:
        """The parts of a reply to our earlier posts, in the order of reading."""
        return (*self._body, *self._end)

    @cached_property
    def standalone(self) -> tuple[Part, ...]:
        """The parts of a post that must be read alone."""
        reference = self._typeset(Part(self.context.back_reference, self._shortening, _CONTEXT, "what it refers to"))
        return (*self._body, reference, *self._end) if reference.text else self.reply

    @cached_property
    def brief(self) -> tuple[Part, ...]:
        """The least that may be published, where the required parts do not fit.

        What, where, the first thing to do, and where the rest is: the link, or the name of the sender.
        """
        context = self.context
        lead, instruction, _ = self._content
        first = first_sentence(instruction)
        rest = instruction[len(first) :].strip()
        more = context.locale.more.format(where=context.message.link or context.signature)
        source = self._source if context.message.link else ""
        return self._parts(
            Part(context.exercise_mark),
            Part(lead),
            Part(first),
            Part(rest, "sentences", _REST, "the rest of the instruction"),
            Part(self._validity, "droppable", _VALIDITY, "when more will be said"),
            Part(more if context.message.link else sentence(more)),
            Part(self.identifier, name=REFERENCE),
            Part(source),
        )

    @property
    def _shortening(self) -> Rule:
        """How a text may be shortened: half a sentence may mean the opposite."""
        return "sentences" if self.context.of_incident else "shrinkable"

    @cached_property
    def _validity(self) -> str:
        context = self.context
        lead, instruction, _ = self._content
        text, typed = f"{lead} {instruction}", f"{context.open_headline} {instruction}"
        return sentence(upper_first(context.times.validity(text, typed)))

    @cached_property
    def _body(self) -> tuple[Part, ...]:
        lead, instruction, _ = self._content
        return self._parts(
            Part(self.context.exercise_mark),
            Part(lead),
            Part(self.context.description, self._shortening, _DESCRIPTION, "description"),
            Part(instruction, "splittable"),
            Part(self._validity),
        )

    @cached_property
    def _end(self) -> tuple[Part, ...]:
        lead, instruction, tags = self._content
        context, message = self.context, self.context.message
        link = message.link or ""
        # A cancellation has the hashtags of the withdrawn message, and must not repeat its words.
        more = message.hashtags if self.hashtags and message.stage is not Stage.CANCELLATION else ()
        tags = (*tags, *(Part(f"#{tag}", "droppable", _TAG, f"hashtag #{tag}") for tag in map(hashtag, more) if tag))
        text = f"{lead} {self.context.description} {instruction}"
        spans = spans_of(text) if tags or (link and link.partition("://")[2] in text) else ()
        parts = (
            Part("" if link in {span.value for span in spans} else link, "droppable", _LINK, "link"),
            Part(self.identifier, name=REFERENCE),
            Part("" if contains_words(f"{lead} {instruction}", context.signature) else self._source),
            *_new_tags(tags, {span.value.casefold() for span in spans if span.kind == "tag"}),
        )
        return tuple(part for part in parts if part.text)

    @property
    def _source(self) -> str:
        """The sender, as a signature: a network may replace the name that a message came from."""
        context = self.context
        return f"{context.locale.dash.lstrip()}{context.signature}" if self.signed and context.signature else ""

    def _parts(self, *parts: Part) -> tuple[Part, ...]:
        return tuple(self._typeset(part) for part in parts if part.text)

    def _typeset(self, part: Part) -> Part:
        if not self.hard_spaces:
            return part
        return Part(self.context.typeset(part.text), part.rule, part.order, part.name)

    @cached_property
    def _content(self) -> tuple[str, str, tuple[Part, ...]]:
        """The lead, the instruction, and the hashtags that end the post."""
        return self._incident() if self.context.of_incident else self._campaign()

    def _incident(self) -> tuple[str, str, tuple[Part, ...]]:
        """Return `🚨 [#Accident] #Montpellier – Accident en cours avenue de Toulouse.`."""
        context, place, locale = self.context, self.context.place, self.context.locale
        with_tag = self._with_tag(context.open_headline, context.tagged_headline)
        details, period = context.place_details, context.period
        where = "" if with_tag or not place.name else self._tag(place.tag) or place.name
        headline = with_tag or context.open_headline
        if context.is_opening:
            extensible = not with_tag and details == ", ".join(place.details)
            tail = self._event(headline, details, period, extensible=extensible)
            lead = f"{where}{locale.dash}{tail}" if where else tail
        else:
            where = ", ".join(filter(None, (where, details)))
            continued = context.after_colon(headline, place.one_line())
            lead = f"{upper_first(where)}{locale.colon}{continued}" if where else headline
            lead = " ".join(filter(None, (lead, period)))
        tags = () if self.bracketed else (self._category_tag,)
        return f"{self._emoji} [{self._heading}] {sentence(lead)}", context.instruction, tags

    def _event(self, headline: str, details: str, period: str, *, extensible: bool) -> str:
        """Return the headline of an opening with what it lacks.

        That is: the event is under way, its times, its street. A headline with punctuation or with the place in it is a
        whole sentence. Only its end is added to.
        """
        context, locale, start = self.context, self.context.locale, self.context.message.starts_at
        extensible = extensible and not any(stop in headline for stop in _STOPS)
        begun = not (start and start > context.now)
        ongoing = context.profile.ongoing and begun and extensible and not contains_words(headline, locale.ongoing)
        event = " ".join(filter(None, (headline, locale.ongoing if ongoing else "", period)))
        if not details:
            return event
        if event[-1] in _STOPS:
            return f"{event} {upper_first(details)}"
        return f"{event}{locale.place_separator if extensible and not period else ', '}{details}"

    def _campaign(self) -> tuple[str, str, tuple[Part, ...]]:
        """Return `📱 Faux conseiller bancaire : raccrochez.`, with the hashtags at the end."""
        context, place = self.context, self.context.place
        headline, instruction = context.headline, context.instruction
        tagged_headline = self._with_tag(headline, tagged(headline, place.name))
        tagged_instruction = None
        if not tagged_headline:
            tagged_instruction = self._with_tag(instruction, tagged(instruction, place.name))
        named = bool(tagged_headline or tagged_instruction)
        mark = f"{context.mark}{context.locale.dash}" if context.mark else ""
        where = f"{place.name}{context.locale.colon}" if place.name and not (named or self.hashtags) else ""
        lead = f"{self._emoji} {mark}{where}{sentence(tagged_headline or headline)}"
        tags = (self._category_tag, Part("" if named else self._tag(place.tag)))
        return lead, tagged_instruction or instruction, tags

    def _with_tag(self, text: str, tagged: str | None) -> str | None:
        """Return the text with the place in it as a hashtag, where those work."""
        return tagged if self.hashtags or tagged is None else text

    def _tag(self, tag: str) -> str:
        return f"#{tag}" if tag and self.hashtags else ""

    @property
    def _category_tag(self) -> Part:
        tag = self.context.profile.hashtag(self.context.language, self.context.message.severity)
        return Part(self._tag(tag), "droppable", _TAG, f"hashtag #{tag}")

    @property
    def _emoji(self) -> str:
        context = self.context
        own = context.profile.sign(context.message.severity) if context.is_opening else ""
        return own or context.locale.emojis[context.message.stage]

    @property
    def _heading(self) -> str:
        """The text in the bracket: the category, and the word for the stage."""
        context = self.context
        tag = context.profile.hashtag(context.language, context.message.severity) if self.bracketed else ""
        name = self._tag(tag) or context.profile.label(context.language)
        return f"{name}{context.locale.dash}{context.mark}" if context.mark else name


def _new_tags(tags: tuple[Part, ...], present: set[str]) -> Iterator[Part]:
    """Yield the hashtags that the text lacks, up to `MAX_TAGS` in all."""
    for part in tags:
        tag = part.text.removeprefix("#").casefold()
        if tag and tag not in present and (len(present) < MAX_TAGS or part.rule == "required"):
            present.add(tag)
            yield part
