"""The parts of a short post, in the style of French police accounts.

Each on a line of its own, in the order of reading:

1. the mark of an exercise, the emoji of category or stage, `[#Category – STAGE]`, the place, and the headline with its
   time (**required**)
2. the instruction (**required**)
3. the description
4. for a later message that stands alone, what it refers to
5. the time of the next update, or until when it holds (**required**), and the link
6. the incident's reference where posts do not hang together, and the sender where readers see no account
7. hashtags, up to three in all. Those of category and place are among them if hashtags in brackets do not work, or if
   the channel puts them last.

If the first line is too long, the headline follows the instruction: what to do about a severe event must be seen in a
notification, and in any post.

Parts that are not required are left out in this order: what an update or end refers to, the description, shortened
sentence by sentence first (word by word outside incidents), the hashtags from the last one, the link, and what a
correction or cancellation takes back. If the required parts do not fit, they become a thread. If that is not possible,
a brief post gives what, where, the first sentence of the instruction, and where the rest is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from policenotify.model.lifecycle import Stage
from policenotify.render.context import RenderContext
from policenotify.render.places import LONGEST, tagged
from policenotify.render.sentences import follow, open_ended, sentence, upper_first
from policenotify.text.comparison import contains_words
from policenotify.text.fit import Part, Rule, first_sentence
from policenotify.text.spans import hashtag, spans_of

MAX_TAGS: Final = 3
"""The most hashtags in a post: category, place, one more.

An agreed hashtag spreads a warning, more of them only take space (Sutton et al., *PNAS* 112(48), 2015).
"""

ACTION_WITHIN: Final = 110
"""Within so many characters the instruction of a severe message begins: a notification shows little more."""

_LEAD: Final = 160  # the same for other messages: the instruction still fits into the post

_FOLLOWS, _DESCRIPTION, _TAG, _LINK, _TAKES_BACK = range(5)  # the order in which parts are left out
_VALIDITY, _REST = range(2)  # the same, in a brief post
REFERENCE: Final = "reference"
"""The name of the part with the incident's reference."""

_STOPS: Final = ".,;:!?…"


class _Line:
    """The lines of a post, from the first."""

    EVENT, ACTION, MORE, REFERENCE, UNTIL, SOURCE, TAGS = range(7)


class _Content(NamedTuple):
    """The words of a post.

    Attributes:
        lead: The first line.
        rest: What the first line has no space for.
        tags: The hashtags that end the post.
    """

    lead: str
    rest: str
    instruction: str
    tags: tuple[Part, ...]

    @property
    def text(self) -> str:
        return f"{self.lead} {self.rest} {self.instruction}"


class ShortPost(NamedTuple):
    """The parts of a post, in the order of reading.

    Attributes:
        reply: A reply to our earlier posts.
        standalone: A post that must be read alone.
        brief: The least that may be published, where the required parts do not fit. What, where, the first thing to do,
            and where the rest is: the link, or the name of the sender.
    """

    reply: tuple[Part, ...]
    standalone: tuple[Part, ...]
    brief: Callable[[], tuple[Part, ...]]


@dataclass(frozen=True, eq=False)
class Wording:
    """A message on short-post networks with the same capabilities.

    Attributes:
        context: The message.
        hashtags: Readers can follow a hashtag.
        bracketed: They can follow one in a bracket, and one in the text is wanted. Otherwise hashtags end the post.
        signed: The post names its sender, because readers have nothing of the incident and see no account.
        hard_spaces: The network has no-break spaces.
    """

    context: RenderContext
    hashtags: bool
    bracketed: bool
    signed: bool
    hard_spaces: bool

    def identified(self, identifier: str) -> ShortPost:
        """Return the post with a suffix that identifies the incident or the post: `Réf. K7Q2M`. Empty: without."""
        before, after = self._end
        suffix = (Part(identifier, name=REFERENCE, line=_Line.UNTIL),) if identifier else ()
        end = (*before, *suffix, *after)
        reply = (*self._body, *end)
        standalone = (*self._body, *self._back_reference, *end) if self._back_reference else reply
        return ShortPost(reply, standalone, lambda: self._brief(identifier))

    def _brief(self, identifier: str) -> tuple[Part, ...]:
        context, content = self.context, self._content
        first = first_sentence(content.instruction)
        rest = content.instruction[len(first) :].strip()
        more = context.locale.more.format(where=context.message.link or context.signature)
        source = self._source if context.message.link else ""
        return self._parts(
            Part(context.exercise_mark),
            Part(content.lead),
            Part(first, line=_Line.ACTION),
            Part(rest, "sentences", _REST, "the rest of the instruction", _Line.ACTION),
            Part(content.rest, line=_Line.MORE),
            Part(self._validity, "droppable", _VALIDITY, "when more will be said", _Line.UNTIL),
            Part(more if context.message.link else sentence(more), line=_Line.UNTIL),
            Part(identifier, name=REFERENCE, line=_Line.UNTIL),
            Part(source, line=_Line.SOURCE),
        )

    @cached_property
    def _back_reference(self) -> tuple[Part, ...]:
        text, name = self.context.back_reference, "what it refers to"
        order = _FOLLOWS if self.context.message.stage in {Stage.UPDATE, Stage.END} else _TAKES_BACK
        return self._parts(Part(text, "droppable", order, name, _Line.REFERENCE))

    @property
    def _shortening(self) -> Rule:
        """How a text may be shortened: half a sentence may mean the opposite."""
        return "sentences" if self.context.of_incident else "shrinkable"

    @cached_property
    def _validity(self) -> str:
        context, content = self.context, self._content
        typed = f"{context.open_headline} {content.instruction}"
        return sentence(upper_first(context.times.validity(content.text, typed)))

    @cached_property
    def _body(self) -> tuple[Part, ...]:
        content = self._content
        return self._parts(
            Part(self.context.exercise_mark),
            Part(content.lead),
            Part(content.instruction, "splittable", line=_Line.ACTION),
            Part(content.rest, "splittable", line=_Line.MORE),
            Part(self.context.description, self._shortening, _DESCRIPTION, "description", _Line.MORE),
        )

    @cached_property
    def _end(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        """The parts before and after the identifier."""
        content, message = self._content, self.context.message
        link = message.link or ""
        # A cancellation has the hashtags of the withdrawn message, and must not repeat its words.
        more = message.hashtags if self.hashtags and message.stage is not Stage.CANCELLATION else ()
        tags = tuple(part for part in (*content.tags, *map(_tag_part, map(hashtag, more))) if part.text)
        text = f"{content.text} {self.context.description}"
        spans = spans_of(text) if tags or (link and link.partition("://")[2] in text) else ()
        link = "" if link in {span.value for span in spans} else link
        named = self.signed and contains_words(content.text, self.context.signature)
        before = (
            self._typeset(Part(self._validity, line=_Line.UNTIL)),
            Part(link, "droppable", _LINK, "link", _Line.UNTIL),
        )
        after = (
            Part("" if named else self._source, line=_Line.SOURCE),
            *_new_tags(tags, {span.value.casefold() for span in spans if span.kind == "tag"}),
        )
        return tuple(part for part in before if part.text), tuple(part for part in after if part.text)

    @property
    def _source(self) -> str:
        """The sender, as a signature: a network may replace the name that a message came from."""
        return self.context.signature if self.signed else ""

    def _parts(self, *parts: Part) -> tuple[Part, ...]:
        return tuple(self._typeset(part) for part in parts if part.text)

    def _typeset(self, part: Part) -> Part:
        text = self.context.typeset(part.text) if self.hard_spaces else part.text
        return part if text == part.text else part._replace(text=text)

    @cached_property
    def _content(self) -> _Content:
        return self._incident() if self.context.of_incident else self._campaign()

    def _incident(self) -> _Content:
        """Return `🚨 [#Accident – EN COURS] #Montpellier – Accident de la circulation, avenue de Toulouse.`."""
        context, place = self.context, self.context.place
        mark = f"{self._emoji} [{self._heading}]"
        with_tag = context.tagged_headline
        headline = (with_tag if self.bracketed else None) or context.open_headline
        name = self._place_name
        where = "" if with_tag else name
        headline = f"{headline}{place.qualifier if with_tag else ''}"
        dated = context.times.dated
        tags = (self._place_tag,) if self.bracketed else (self._category_tag, self._place_tag)
        if context.is_opening:
            bare = not any(stop in headline for stop in _STOPS)
            if context.period.startswith(" "):  # it goes on after the weekday that ends the headline
                event = place.added_to(dated(headline, context.period), context.open_headline, directly=False)
            else:
                event = place.added_to(headline, context.open_headline, directly=bare)
                event = dated(event, context.period, comma=event != headline)
            lead = f"{where}{context.locale.dash}{event}" if where else event
        else:
            where = ", ".join(filter(None, (where, context.place_details)))
            event = dated(headline, context.period)
            continued = context.after_colon(event, place.one_line())
            lead = event
            if where:
                lead = follow(upper_first(where), continued, colon=context.locale.colon, dash=context.locale.dash)
        lead = f"{mark} {sentence(f'{lead}{context.source_mark}')}"
        if not context.instruction or not self._too_long(lead):
            return _Content(lead, "", context.instruction, tags)
        details = place.details_missing_in("", longest=None if context.is_opening else LONGEST)
        where = ", ".join(filter(None, (name, details)))
        event = dated(context.open_headline, context.period) + context.source_mark
        lead, rest = f"{mark} {sentence(upper_first(where))}".rstrip(), sentence(upper_first(event))
        if details and self._too_long(lead):
            lead, rest = f"{mark} {sentence(name)}".rstrip(), f"{sentence(upper_first(details))} {rest}"
        return _Content(lead, rest, context.instruction, tags)

    def _too_long(self, lead: str) -> bool:
        """Return True if the instruction would begin too late after this line."""
        mark, limit = self.context.exercise_mark, ACTION_WITHIN if self.context.is_severe else _LEAD
        return len(f"{mark} {lead}" if mark else lead) > limit - len("\n") - 1

    def _campaign(self) -> _Content:
        """Return `📱 Faux conseiller bancaire : raccrochez.`, with the hashtags at the end."""
        context, place = self.context, self.context.place
        headline, instruction = context.headline, context.instruction
        inline = self.bracketed or not self.hashtags
        tagged_headline = self._with_tag(headline, tagged(headline, place.name)) if inline else None
        tagged_instruction = None
        if inline and not tagged_headline:
            tagged_instruction = self._with_tag(instruction, tagged(instruction, place.name))
        named = bool(tagged_headline or tagged_instruction)
        mark = f"{context.mark}{context.locale.dash}" if context.mark else ""
        name = f"{place.name}{place.qualifier}"
        where = name if place.name and not (named or self.hashtags) else ""
        stated = f"{headline} {context.description} {instruction}"
        details = sentence(upper_first(place.details_missing_in(stated)))
        headline = sentence(f"{open_ended(tagged_headline or headline)}{context.source_mark}")
        headline = " ".join(filter(None, (headline, details)))
        if where:
            continued = context.after_colon(headline, place.one_line())
            headline = follow(where, continued, colon=context.locale.colon, dash=context.locale.dash)
        lead = f"{self._emoji} {mark}{headline}"
        rest = ""
        if instruction and self._too_long(lead):
            lead, rest = f"{self._emoji} {mark}{sentence(context.label)}", headline
        tags = (self._category_tag, *(() if named else (self._place_tag._replace(rule="required"),)))
        return _Content(lead, rest, tagged_instruction or instruction, tags)

    def _with_tag(self, text: str, tagged: str | None) -> str | None:
        """Return the text with the place in it as a hashtag, where those work."""
        return tagged if self.hashtags or tagged is None else text

    @property
    def _place_name(self) -> str:
        place = self.context.place
        name = f"#{place.tag}" if place.tag and self.bracketed else place.name
        return f"{name}{place.qualifier}"

    @property
    def _place_tag(self) -> Part:
        return _tag_part(self.context.place.tag if self.hashtags else "")

    @property
    def _category_tag(self) -> Part:
        return _tag_part(self.context.category_tag if self.hashtags else "")

    @property
    def _emoji(self) -> str:
        """The sign of the category for an opening, or for a colour that may have changed, else that of the stage."""
        context, message = self.context, self.context.message
        own = context.profile.sign(message.severity)
        if not context.is_opening and not (message.stage in _HOLDS and context.profile.severity_emojis):
            own = ""
        return own or context.locale.emojis[message.stage]

    @property
    def _heading(self) -> str:
        """The text in the bracket: the category, and the word for the stage."""
        tag = self.context.category_tag if self.bracketed else ""
        return self.context.heading(f"#{tag}") if tag else self.context.heading(self.context.label)


_HOLDS: Final = frozenset({Stage.UPDATE, Stage.CORRECTION})  # the stages after which an incident goes on


def _tag_part(tag: str) -> Part:
    return Part(f"#{tag}" if tag else "", "droppable", _TAG, f"hashtag #{tag}", _Line.TAGS)


def _new_tags(tags: tuple[Part, ...], present: set[str]) -> Iterator[Part]:
    """Yield the hashtags that the text lacks, up to `MAX_TAGS` in all."""
    for part in tags:
        tag = part.text.removeprefix("#").casefold()
        if tag not in present and (len(present) < MAX_TAGS or part.rule == "required"):
            present.add(tag)
            yield part
