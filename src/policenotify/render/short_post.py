"""The wording for networks of short posts, in the house style of French police accounts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from policenotify.model.lifecycle import Stage
from policenotify.render.context import RenderContext
from policenotify.render.places import tagged
from policenotify.render.sentences import capital, sentence
from policenotify.text.comparison import contains_words
from policenotify.text.fit import Part, Rule, first_sentence
from policenotify.text.spans import hashtag, spans_of

MAX_TAGS: Final = 3
"""At most so many hashtags in a post: category, place, one more (Sutton et al., *PNAS* 112(48), 2015: an agreed
hashtag spreads a warning; more of them only take its room)."""

_DESCRIPTION, _TAG, _LINK, _CONTEXT = range(4)  # who gives way first
_OUTLOOK, _REST = range(2)  # likewise, in the least that may be said
_STOPS: Final = ".,;:!?…"


@dataclass(frozen=True, eq=False)
class ShortPost:
    """A message on networks of short posts that are alike.

    Attributes:
        scene: What is said.
        hashtags: Readers can follow a hashtag.
        bracketed: They can follow one in a bracket, too; else that of the category ends the post.
        named: How the incident, or this post, is told from others: `Réf. K7Q2M`; empty: there is no need to.
        hard_spaces: A space at which no line may break is made one that does not break.
    """

    scene: RenderContext
    hashtags: bool
    bracketed: bool
    named: str
    hard_spaces: bool

    @cached_property
    def reply(self) -> tuple[Part, ...]:
        """The pieces of a post that hangs under our earlier ones, in the order of reading."""
        return (*self._body, *self._end)

    @cached_property
    def standalone(self) -> tuple[Part, ...]:
        """The same for a post that must be read alone."""
        context = self._set(Part(self.scene.context, self._shorter, _CONTEXT, "what it refers to"))
        return (*self._body, context, *self._end) if context.text else self.reply

    @cached_property
    def brief(self) -> tuple[Part, ...]:
        """The least that may be said, where all that must be does not fit: what, where, the first thing to do.

        It ends with where the rest is: the link, else the service that says it.
        """
        scene = self.scene
        lead, instruction, _ = self._told
        begun = first_sentence(instruction)
        rest = instruction[len(begun) :].strip()
        more = scene.words.more.format(where=scene.message.link or scene.signature)
        parts = (
            Part(scene.exercise),
            Part(lead),
            Part(begun),
            Part(rest, "sentences", _REST, "the rest of the instruction"),
            Part(self._outlook, "droppable", _OUTLOOK, "when more will be said"),
            Part(more if scene.message.link else sentence(more)),
            Part(self.named),
        )
        return tuple(self._set(part) for part in parts if part.text)

    @property
    def _shorter(self) -> Rule:
        """How a text gives way: of an incident only whole sentences, since half of one may mean the opposite."""
        return "sentences" if self.scene.of_incident else "shrinkable"

    @cached_property
    def _outlook(self) -> str:
        scene = self.scene
        lead, instruction, _ = self._told
        said, typed = f"{lead} {instruction}", f"{scene.plain} {instruction}"
        return sentence(capital(scene.teller.outlook(scene.message, scene.profile, said, typed)))

    @cached_property
    def _body(self) -> tuple[Part, ...]:
        scene = self.scene
        lead, instruction, _ = self._told
        parts = (
            Part(scene.exercise),
            Part(lead),
            Part(scene.description, self._shorter, _DESCRIPTION, "description"),
            Part(instruction, "splittable"),
            Part(self._outlook),
        )
        return tuple(self._set(part) for part in parts if part.text)

    @cached_property
    def _end(self) -> tuple[Part, ...]:
        lead, instruction, tags = self._told
        message = self.scene.message
        link = message.link or ""
        # A cancellation carries on the hashtags of what it takes back, and must not repeat its words.
        more = message.hashtags if self.hashtags and message.stage is not Stage.CANCELLATION else ()
        wanted = [*tags, *(Part(f"#{tag}", "droppable", _TAG, f"hashtag #{tag}") for tag in map(hashtag, more) if tag)]
        text = f"{lead} {self.scene.description} {instruction}"
        told = spans_of(text) if wanted or (link and link.partition("://")[2] in text) else ()
        parts = (
            Part("" if link in {one.value for one in told} else link, "droppable", _LINK, "link"),
            Part(self.named),
            *_new(wanted, {one.value.casefold() for one in told if one.kind == "tag"}),
        )
        return tuple(part for part in parts if part.text)

    def _set(self, part: Part) -> Part:
        return Part(self.scene.set(part.text), part.rule, part.order, part.name) if self.hard_spaces else part

    @cached_property
    def _told(self) -> tuple[str, str, tuple[Part, ...]]:
        """What happens, what to do, and what more may be said in a hashtag."""
        return self._incident() if self.scene.of_incident else self._once()

    def _incident(self) -> tuple[str, str, tuple[Part, ...]]:
        """`🚨 [#Accident] #Montpellier – Accident en cours avenue de Toulouse.`, or for a later stage with a colon."""
        scene, place, words = self.scene, self.scene.place, self.scene.words
        named, detail, times = self._named(scene.plain, scene.tagged), scene.detail, scene.times
        where = "" if named or not place.name else self._tag(place.tag) or place.name
        headline = named or scene.plain
        if scene.is_opening:
            tail = self._happening(headline, detail, times, untouched=not named and detail == ", ".join(place.details))
            lead = f"{where}{words.dash}{tail}" if where else tail
        else:
            where = ", ".join(filter(None, (where, detail)))
            following = scene.after_colon(headline, place.whole())
            lead = f"{capital(where)}{words.colon}{following}" if where else headline
            lead = " ".join(filter(None, (lead, times)))
        tags = () if self.bracketed else (self._category,)
        return f"{self._sign} [{self._heading}] {sentence(lead)}", scene.instruction, tags

    def _happening(self, headline: str, detail: str, times: str, *, untouched: bool) -> str:
        """The headline of an opening, with what it does not tell itself: that it is under way, its times, its street.

        A headline with punctuation or with the place in it is a sentence already, and is not added to but at its end.
        """
        scene, words, start = self.scene, self.scene.words, self.scene.message.starts_at
        one_clause = not any(stop in headline for stop in _STOPS)
        live = (
            scene.profile.ongoing and not (start and start > scene.now) and not contains_words(headline, words.ongoing)
        )
        told = " ".join(filter(None, (headline, words.ongoing if live and one_clause and untouched else "", times)))
        if not detail:
            return told
        if told[-1] in _STOPS:
            return f"{told} {capital(detail)}"
        return f"{told}{words.place_joint if one_clause and untouched and not times else ', '}{detail}"

    def _once(self) -> tuple[str, str, tuple[Part, ...]]:
        """`📱 Faux conseiller bancaire : raccrochez.`: what is said once has no bracket; its hashtags end it."""
        scene, place = self.scene, self.scene.place
        plain, instruction = scene.headline, scene.instruction
        named = self._named(plain, tagged(plain, place.name))
        advised = None if named else self._named(instruction, tagged(instruction, place.name))
        mark = f"{scene.mark}{scene.words.dash}" if scene.mark else ""
        tags = (
            self._category,
            Part("" if named or advised else self._tag(place.tag)),
        )
        where = f"{place.name}{scene.words.colon}" if place.name and not (named or advised or self.hashtags) else ""
        return f"{self._sign} {mark}{where}{sentence(named or plain)}", advised or instruction, tags

    def _named(self, text: str, tagged: str | None) -> str | None:
        """The text with the place in it made a hashtag, where readers can follow one; `None`: it does not name it."""
        return tagged if self.hashtags or tagged is None else text

    def _tag(self, tag: str) -> str:
        return f"#{tag}" if tag and self.hashtags else ""

    @property
    def _category(self) -> Part:
        tag = self.scene.profile.hashtag(self.scene.language, self.scene.message.severity)
        return Part(self._tag(tag), "droppable", _TAG, f"hashtag #{tag}")

    @property
    def _sign(self) -> str:
        scene = self.scene
        own = scene.profile.sign(scene.message.severity) if scene.is_opening else ""
        return own or scene.words.emojis[scene.message.stage]

    @property
    def _heading(self) -> str:
        """What stands in the bracket: category, and the word for the stage."""
        scene = self.scene
        tag = scene.profile.hashtag(scene.language, scene.message.severity) if self.bracketed else ""
        name = self._tag(tag) or scene.profile.label(scene.language)
        return f"{name}{scene.words.dash}{scene.mark}" if scene.mark else name


def _new(wanted: list[Part], told: set[str]) -> Iterator[Part]:
    """Hashtags that the text does not hold yet, up to three in all."""
    for part in wanted:
        tag = part.text.removeprefix("#").casefold()
        if tag and tag not in told and (len(told) < MAX_TAGS or part.rule == "required"):
            told.add(tag)
            yield part
