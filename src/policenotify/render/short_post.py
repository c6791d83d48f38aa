"""The parts of a short post, in the style of French police accounts.

`docs/explanation/posts.md` describes their lines. **Required** are the first line, the instruction, and the time of the
next update or until when it holds. The incident's reference stands where posts do not hang together, and the sender
where readers see no account. Hashtags of category and place stand at the end if those in brackets do not work, or if
the channel puts them last.

Parts that are not required are left out in this order: what an update or end refers to, the description (whole, and
outside incidents sentence by sentence), the hashtags from the last one, the link, what a correction or cancellation
takes back, and the number for deaf people. Where the description is missing, the link points to the rest. If the
required parts do not fit, they become a thread. If that is not possible, a brief post gives what, where, the first
sentence of the instruction, and where the rest is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from policenotify.model.lifecycle import Stage
from policenotify.render.context import RenderContext
from policenotify.render.sentences import open_ended, sentence, upper_first
from policenotify.text.comparison import contains_words
from policenotify.text.fit import Part, Rule, first_sentence
from policenotify.text.links import find_links, hashtag
from policenotify.translation import Text

MAX_TAGS: Final = 3
"""The most hashtags in a post: category, place, one more.

An agreed hashtag spreads a warning, more of them only take space (Sutton et al., *PNAS* 112(48), 2015).
"""

ACTION_WITHIN: Final = 110
"""Within so many characters the instruction of a severe message begins: a notification shows little more."""

_LEAD: Final = 160  # the same for other messages, and the longest first line with all details of the place
_LONGEST: Final = 245  # a long first line with the first order: 280, less `(1/2)` and the suffix of a repeated text

_FOLLOWS, _DESCRIPTION, _TAG, _LINK, _TAKES_BACK, _BY_TEXT = range(6)  # the order in which parts are left out
_VALIDITY, _REST = range(2)  # the same, in a brief post
REFERENCE: Final = "reference"
"""The name of the part with the incident's reference."""

DESCRIPTION: Final = "description"
"""The name of the part with the description."""

LINK: Final = "link"
"""The name of the part with the link."""

_STOPS: Final = ".,;:!?…"
# A number that is called by voice, and the word after it: no part of a longer number, and no hour or age.
_CALLED: Final = re.compile(
    r"(?:\b(?:le|au|ou|et|call|dial|or|and|die|oder)|:) (?:15|17|18|112)"
    r"(?![\w/:]| ?\d| (?:h|ans|years|jahre)\b)(?: (\w+))?",
    re.IGNORECASE,
)


class _Line:
    """The lines of a post, from the first."""

    EVENT, ACTION, BY_TEXT, MORE, REFERENCE, UNTIL, SOURCE, TAGS = range(8)


class _Content(NamedTuple):
    """The words of a post.

    Attributes:
        lead: The first line.
        rest: Time and source, if the first line has no space for them.
        tags: The hashtags that end the post.
    """

    lead: str
    rest: str
    instruction: str
    tags: tuple[Part, ...]

    @property
    def text(self) -> str:
        return f"{self.lead} {self.rest} {self.instruction}"


@dataclass(frozen=True, eq=False)
class Wording:
    """A message on short-post networks with the same capabilities.

    Attributes:
        context: The message.
        hashtags: Readers can follow a hashtag.
        bracketed: They can follow one in a bracket, and one in the text is wanted. Otherwise hashtags end the post.
        for_phones: Readers have it by SMS.
        signed: The post names its sender, because readers have nothing of the incident and see no account.
    """

    context: RenderContext
    hashtags: bool
    bracketed: bool
    for_phones: bool
    signed: bool

    def parts(self, identifier: str, *, standalone: bool) -> tuple[Part, ...]:
        """Return the parts of a reply, or of a post that must be read alone, in the order of reading.

        Args:
            identifier: What names the incident or the post: `Réf. K7Q2M`. Empty: nothing.
            standalone: It must be read alone.
        """
        before, after = self._end
        suffix = (Part(identifier, name=REFERENCE, line=_Line.UNTIL),) if identifier else ()
        return (*self._body, *(self._back_reference if standalone else ()), *before, *suffix, *after)

    def brief(self, identifier: str) -> tuple[Part, ...]:
        """Return the least that may be published, where the required parts do not fit.

        What, where, the first thing to do, and where the rest is: the link, or the name of the sender.
        """
        context, content = self.context, self._content
        first = first_sentence(content.instruction)
        rest = content.instruction[len(first) :].strip()
        more = self._more
        source = context.signature if self.signed and self._link else ""
        return self._parts(
            Part(context.exercise_mark),
            Part(content.lead),
            Part(first, line=_Line.ACTION),
            Part(rest, "sentences", _REST, Text("the rest of the instruction"), _Line.ACTION),
            Part(content.rest, line=_Line.MORE),
            Part(self._validity, "droppable", _VALIDITY, Text("when more will be said"), _Line.UNTIL),
            Part(more if self._link else sentence(more), line=_Line.UNTIL),
            Part(identifier, name=REFERENCE, line=_Line.UNTIL),
            Part(source, line=_Line.SOURCE),
        )

    @property
    def more(self) -> str:
        """The link where the description is missing or incomplete: `Suite : https://…`. Empty without a link."""
        return self._more if self._link else ""

    @property
    def _link(self) -> str:
        return self.context.message.link or ""

    @property
    def _more(self) -> str:
        """Where the rest of a shortened message is."""
        more = self.context.locale.more.format(where=self._link or self.context.signature)
        return self._typeset(Part(more)).text

    @cached_property
    def _back_reference(self) -> tuple[Part, ...]:
        text, name = self.context.back_reference, Text("what it refers to")
        order = _FOLLOWS if self.context.message.stage in {Stage.UPDATE, Stage.END} else _TAKES_BACK
        return self._parts(Part(text, "droppable", order, name, _Line.REFERENCE))

    @property
    def _by_text(self) -> str:
        """The emergency number for deaf people, if a severe message for telephones names one that must be called."""
        context, stage = self.context, self.context.message.stage
        text = f"{self._content.text} {context.description}"
        if not (self.for_phones and context.is_severe) or stage in {Stage.END, Stage.CANCELLATION}:
            return ""
        called = any(match[1] not in context.locale.months for match in _CALLED.finditer(text))
        return context.locale.emergency_by_text if called and not contains_words(text, "114") else ""

    @cached_property
    def _validity(self) -> str:
        context, content = self.context, self._content
        typed = f"{context.open_headline} {content.instruction}"
        return sentence(upper_first(context.times.validity(content.text, typed)))

    @cached_property
    def _body(self) -> tuple[Part, ...]:
        content = self._content
        # Half of what is known of a danger may mean the opposite.
        rule: Rule = "droppable" if self.context.of_incident else "sentences"
        return self._parts(
            Part(self.context.exercise_mark),
            Part(content.lead),
            Part(content.instruction, "splittable", line=_Line.ACTION),
            Part(self._by_text, "droppable", _BY_TEXT, Text("emergency number for deaf people"), _Line.BY_TEXT),
            Part(content.rest, "splittable", line=_Line.MORE),
            Part(self.context.description, rule, _DESCRIPTION, DESCRIPTION, _Line.MORE),
        )

    @cached_property
    def _end(self) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
        """The parts before and after the identifier."""
        content, message = self._content, self.context.message
        link = self._link
        # A cancellation has the hashtags of the withdrawn message, and must not repeat its words.
        more = message.hashtags if self.hashtags and message.stage is not Stage.CANCELLATION else ()
        tags = tuple(part for part in (*content.tags, *map(self._tag_part, map(hashtag, more))) if part.text)
        text = f"{content.text} {self.context.description}"
        spans = find_links(text) if tags or (link and link.partition("://")[2] in text) else ()
        link = "" if link in {span.value for span in spans} else link
        # A network may replace the name that a message came from.
        signs = self.signed and not contains_words(content.text, self.context.signature)
        before = (
            self._typeset(Part(self._validity, line=_Line.UNTIL)),
            Part(link, "droppable", _LINK, LINK, _Line.UNTIL),
        )
        after = (
            Part(self.context.signature if signs else "", line=_Line.SOURCE),
            *_new_tags(tags, {span.value.casefold() for span in spans if span.kind == "tag"}),
        )
        return tuple(part for part in before if part.text), tuple(part for part in after if part.text)

    def _parts(self, *parts: Part) -> tuple[Part, ...]:
        return tuple(self._typeset(part) for part in parts if part.text)

    def _typeset(self, part: Part) -> Part:
        return part._replace(text=self.context.locale.typeset(part.text))

    @cached_property
    def _content(self) -> _Content:
        return self._incident() if self.context.of_incident else self._campaign()

    def _incident(self) -> _Content:
        """Return `🚨 [#Accident – EN COURS] #Montpellier – Accident de la circulation, avenue de Toulouse.`."""
        context, mark = self.context, f"{self._emoji} [{self._heading}]"
        own = (context.place.tag,) if self.bracketed else (context.category_tag, context.place.tag)
        tags = tuple(map(self._tag_part, own))
        first, rest = self._arranged(
            lambda period, source, details: f"{mark} {sentence(f'{self._event(period, details)}{source}')}",
            context.place_details,
        )
        length = self._length(first)
        if length > _LEAD and length + len(first_sentence(context.instruction)) > _LONGEST:
            # Under a headline of 160 characters a network might have no space for the order.
            event = f"{context.times.dated(context.open_headline, context.period)}{context.source_mark}"
            first = f"{mark} {sentence(self._place_name)}".rstrip()
            rest = " ".join(map(sentence, map(upper_first, filter(None, (context.place_details, event)))))
        return _Content(first, rest, context.instruction, tags)

    def _event(self, period: str, details: str) -> str:
        context, place = self.context, self.context.place
        with_tag = context.tagged_headline
        headline = (with_tag if self.bracketed else None) or context.open_headline
        where = "" if with_tag else self._place_name
        headline = f"{headline}{place.qualifier if with_tag else ''}"
        dated = context.times.dated
        if not context.is_opening:
            where = ", ".join(filter(None, (where, details)))
            event = dated(headline, period)
            if not where:
                return event
            return f"{upper_first(where)}{context.locale.dash}{event}"
        bare = not any(stop in headline for stop in _STOPS)
        if not details:
            event = dated(headline, period)
        elif period.startswith(" "):  # it goes on after the weekday that ends the headline
            headline = dated(headline, period)
            event = place.added_to(headline, context.open_headline, directly=False)
        else:
            event = place.added_to(headline, context.open_headline, directly=bare)
            event = dated(event, period, comma=event != headline)
        return f"{where}{context.locale.dash}{event}" if where else event

    def _arranged(self, lead: Callable[[str, str, str], str], details: str) -> tuple[str, str]:
        """Return the first line, and what it has no space for: time and source, and then a long route."""
        first, rest = self._dated_and_sourced(lambda period, source: lead(period, source, details))
        if not details or self._length(first) <= _LEAD:
            return first, rest
        first, rest = self._dated_and_sourced(lambda period, source: lead(period, source, ""))
        return first, f"{sentence(upper_first(details))} {rest}".rstrip()

    def _dated_and_sourced(self, lead: Callable[[str, str], str]) -> tuple[str, str]:
        """Return the first line, and time and source as far as it has no space for them."""
        context = self.context
        period, source = context.period, context.source_mark
        first = lead(period, source)
        final = context.message.stage in {Stage.END, Stage.CANCELLATION}
        if final or not context.instruction or not self._too_long(first):
            return first, ""
        first = lead(period, "")
        # A period may also complete a day or an hour of the headline, which would mean another one without it.
        if period and period == context.times.period("") and self._too_long(first):
            return lead("", ""), sentence(upper_first(f"{period.lstrip(', ')}{source}"))
        return first, sentence(upper_first(context.locale.source.format(source=context.source))) if source else ""

    def _too_long(self, lead: str) -> bool:
        """Return True if the instruction would begin too late after this line."""
        return self._length(lead) > (ACTION_WITHIN if self.context.is_severe else _LEAD) - len("\n") - 1

    def _length(self, lead: str) -> int:
        mark = self.context.exercise_mark
        return len(f"{mark} {lead}" if mark else lead)

    def _campaign(self) -> _Content:
        """Return `📱 Faux conseiller bancaire : raccrochez.`, with the hashtags at the end."""
        context, place = self.context, self.context.place
        instruction = context.instruction
        inline = self.bracketed or not self.hashtags
        tagged_headline = self._with_tag(context.headline, place.tagged_in(context.headline)) if inline else None
        tagged_instruction = None
        if inline and not tagged_headline:
            tagged_instruction = self._with_tag(instruction, place.tagged_in(instruction))
        named = bool(tagged_headline or tagged_instruction)
        stated = f"{context.headline} {context.description} {instruction}"
        mark = f"{context.mark}{context.locale.dash}" if context.mark else ""
        name = f"{place.name}{place.qualifier}"
        where = name if place.name and not (self.hashtags or named or contains_words(stated, place.name)) else ""
        headline = tagged_headline or context.headline

        def lead(period: str, source: str, details: str) -> str:
            dated = context.times.dated(open_ended(headline), period) if period or source else headline
            event = " ".join(filter(None, (sentence(f"{dated}{source}"), sentence(upper_first(details)))))
            if where:
                event = f"{where}{context.locale.dash}{event}"
            return f"{self._emoji} {mark}{event}"

        first, rest = self._arranged(lead, place.details_missing_in(stated))
        own = () if named else (self._tag_part(place.tag)._replace(rule="required"),)
        tags = (self._tag_part(context.category_tag), *own)
        return _Content(first, rest, tagged_instruction or instruction, tags)

    def _with_tag(self, text: str, tagged: str | None) -> str | None:
        """Return the text with the place in it as a hashtag, where those work."""
        return tagged if self.hashtags or tagged is None else text

    @property
    def _place_name(self) -> str:
        place = self.context.place
        name = f"#{place.tag}" if place.tag and self.bracketed else place.name
        return f"{name}{place.qualifier}"

    def _tag_part(self, tag: str) -> Part:
        return Part(f"#{tag}" if tag and self.hashtags else "", "droppable", _TAG, f"hashtag #{tag}", _Line.TAGS)

    @property
    def _emoji(self) -> str:
        """The sign of the category for an opening, or for a colour that may have changed, else that of the stage."""
        context, message = self.context, self.context.message
        own = context.profile.sign(message.severity)
        goes_on = message.stage in {Stage.UPDATE, Stage.CORRECTION}
        if not context.is_opening and not (goes_on and context.profile.severity_emojis):
            own = ""
        return own or context.locale.emojis[message.stage]

    @property
    def _heading(self) -> str:
        """The text in the bracket: the category, and the word for the stage."""
        tag = self.context.category_tag if self.bracketed else ""
        return self.context.heading(f"#{tag}" if tag else self.context.label)


def _new_tags(tags: tuple[Part, ...], present: set[str]) -> Iterator[Part]:
    """Yield the hashtags that the text lacks, up to `MAX_TAGS` in all."""
    for part in tags:
        tag = part.text.removeprefix("#").casefold()
        if tag not in present and (len(present) < MAX_TAGS or part.rule == "required"):
            present.add(tag)
            yield part
