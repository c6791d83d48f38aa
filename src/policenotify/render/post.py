"""The wording for networks of short posts, in the house style of French police accounts."""

from __future__ import annotations

from typing import Final

from policenotify.render.place import tagged
from policenotify.render.scene import Scene
from policenotify.render.sentences import capital, open_ended, paragraph, sentence
from policenotify.text.comparing import says
from policenotify.text.fitting import Part
from policenotify.text.spans import hashtag, spans_of

MAX_TAGS: Final = 3
"""At most so many hashtags in a post: category, place, one more (Sutton et al., *PNAS* 112(48), 2015: an agreed
hashtag spreads a warning; more of them only take its room)."""

_DESCRIPTION, _TAG, _LINK, _CONTEXT = range(4)  # who gives way first
_STOPS: Final = ".,;:!?…"


def post_parts(scene: Scene, *, standalone: bool) -> list[Part]:
    """The pieces of a post, in the order of reading.

    Args:
        scene: What is said.
        standalone: It must read alone, without our earlier posts above it.
    """
    lead, instruction, tags = _incident(scene) if scene.of_incident else _once(scene)
    description = paragraph(scene.said.description)
    outlook = capital(scene.teller.outlook(scene.message, scene.profile, f"{lead} {instruction}"))
    link = scene.message.link or ""
    told = {found.value for found in spans_of(f"{lead} {description} {instruction}")}
    return [
        Part(exercise(scene)),
        Part(lead),
        Part(description, "shrinkable", _DESCRIPTION, "description"),
        Part(instruction, "splittable"),
        Part(sentence(outlook)),
        Part(scene.context() if standalone else "", "shrinkable", _CONTEXT, "what it refers to"),
        Part("" if link in told else link, "droppable", _LINK, "link"),
        Part(scene.words.reference.format(reference=scene.reference) if scene.reference else ""),
        *_tags(tags, scene, f"{lead} {description} {instruction}"),
    ]


def exercise(scene: Scene) -> str:
    """What every post of an exercise begins with: `EXERCICE –`."""
    return f"{scene.words.exercise}{scene.words.dash}".strip() if scene.message.exercise else ""


def _incident(scene: Scene) -> tuple[str, str, tuple[Part, ...]]:
    """`🚨 [#Accident] #Montpellier – Accident en cours avenue de Toulouse.`, or for a later stage with a colon."""
    place, words = scene.place, scene.words
    plain = open_ended(scene.headline)
    named = _named(scene, plain)
    where = "" if named or not place.name else _tag(scene, place.tag) or place.name
    times = scene.teller.holds(scene.message, scene.profile, plain)
    detail = place.beyond(plain)
    headline = named or plain
    if scene.begins:
        tail = _happening(scene, headline, detail, times, untouched=not named and detail == ", ".join(place.details))
        lead = f"{where}{words.dash}{tail}" if where else tail
    else:
        where = ", ".join(filter(None, (where, detail)))
        following = scene.after_colon(headline, place.whole())
        lead = f"{capital(where)}{words.colon}{following}" if where else headline
        lead = " ".join(filter(None, (lead, times)))
    return f"{_sign(scene)} [{_heading(scene)}] {sentence(lead)}", paragraph(scene.said.instruction), ()


def _happening(scene: Scene, headline: str, detail: str, times: str, *, untouched: bool) -> str:
    """The headline of an opening, with what it does not tell itself: that it is under way, its times, its street.

    A headline with punctuation or with the place in it is a sentence already, and is not added to but at its end.
    """
    words, start = scene.words, scene.message.starts_at
    one_clause = not any(stop in headline for stop in _STOPS)
    live = scene.profile.ongoing and not (start and start > scene.now) and not says(headline, words.ongoing)
    told = " ".join(filter(None, (headline, words.ongoing if live and one_clause and untouched else "", times)))
    if not detail:
        return told
    if told[-1] in _STOPS:
        return f"{told} {capital(detail)}"
    return f"{told}{words.place_joint if one_clause and untouched and not times else ', '}{detail}"


def _once(scene: Scene) -> tuple[str, str, tuple[Part, ...]]:
    """`📱 Faux conseiller bancaire : raccrochez.`: what is said once has no bracket; its hashtags end it."""
    plain, instruction = scene.headline, paragraph(scene.said.instruction)
    place = scene.place
    named = _named(scene, plain)
    advised = None if named else _named(scene, instruction)
    mark = f"{scene.mark}{scene.words.dash}" if scene.mark else ""
    category = scene.profile.hashtag(scene.language, scene.message.severity)
    tags = (
        Part(_tag(scene, category), "droppable", _TAG, f"hashtag #{category}"),
        Part("" if named or advised else _tag(scene, place.tag)),
    )
    where = f"{place.name}{scene.words.colon}" if place.name and not (named or advised or scene.hashtags) else ""
    return f"{_sign(scene)} {mark}{where}{sentence(named or plain)}", advised or instruction, tags


def _named(scene: Scene, text: str) -> str | None:
    """The text with the place in it made a hashtag, where readers can follow one; `None`: it does not name it."""
    found = tagged(text, scene.place.name)
    return found if scene.hashtags or found is None else text


def _tag(scene: Scene, tag: str) -> str:
    return f"#{tag}" if tag and scene.hashtags else ""


def _sign(scene: Scene) -> str:
    own = scene.profile.sign(scene.message.severity) if scene.begins else ""
    return own or scene.words.emojis[scene.message.stage]


def _heading(scene: Scene) -> str:
    """What stands in the bracket: category, and the word for the stage."""
    tag = scene.profile.hashtag(scene.language, scene.message.severity)
    name = _tag(scene, tag) or scene.profile.label(scene.language)
    return f"{name}{scene.words.dash}{scene.mark}" if scene.mark else name


def _tags(first: tuple[Part, ...], scene: Scene, text: str) -> list[Part]:
    """Hashtags at the end: those that the text does not hold yet, up to three in all."""
    more = filter(None, (hashtag(tag) for tag in scene.message.hashtags if scene.hashtags))
    wanted = [*first, *(Part(f"#{tag}", "droppable", _TAG, f"hashtag #{tag}") for tag in more)]
    told = {found.value.casefold() for found in spans_of(text) if found.kind == "tag"}
    kept: list[Part] = []
    for part in wanted:
        tag = part.text.removeprefix("#").casefold()
        if tag and tag not in told and (len(told) < MAX_TAGS or part.rule == "required"):
            told.add(tag)
            kept.append(part)
    return kept
