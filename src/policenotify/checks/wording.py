"""Checks of the texts, and of what networks make of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal

from policenotify.checks.check import CALLS_TO_ACT, FIVE_CONTENTS, CheckContext, Remark, check, seen_texts, texts_of
from policenotify.findings import Level
from policenotify.model.cap import Severity
from policenotify.model.message import Message
from policenotify.text.autolinks import Fix, repair
from policenotify.text.characters import clean
from policenotify.text.comparison import fold
from policenotify.text.french_names import at, contract, of
from policenotify.text.handles import handles_in_words
from policenotify.text.patterns import lazy_pattern

MIN_ALT: Final = 15
"""The shortest description of a picture, in characters, that can describe anything (RGAA 4, criterion 1.3)."""

HAZARD_WITHIN: Final = 60
"""How far into the text, in characters, readers must find the hazard's name: the first line on a telephone."""

_FILE_NAME: Final = lazy_pattern(
    r"\S+\.(?:jpe?g|png|gif|webp|heic|tiff?|bmp)|(?:IMG|DSC|PXL|image|photo)[\W_]*\d[\w.-]*", re.IGNORECASE
)
_MEANINGLESS: Final = frozenset(
    {"image", "photo", "picture", "illustration", "capture", "screenshot", "logo", "visuel"}
)


@check(
    "PN103",
    basis=f"{FIVE_CONTENTS}: guidance; Sutton, Olson and Waugh, 'The Warning Lexicon', Natural Hazards Review 25(1), "
    "2024.",
    levels=(Level.BLOCK, Level.ADVISE),
)
def instruction_given(context: CheckContext) -> Iterator[Remark]:
    """Require an instruction from moderate severity on, in each language."""
    calls = context.of_incident and context.message.stage in CALLS_TO_ACT
    if not calls or not context.severity.at_least(Severity.MODERATE):
        return
    level = Level.BLOCK if context.severity.at_least(Severity.SEVERE) else Level.ADVISE
    for _, field, instruction in texts_of(context.message, "instruction"):
        if not fold(instruction):
            yield Remark(
                f"Severity is {context.severity}, and readers get no instruction.",
                "Give one in the imperative: Évitez le secteur. Restez à l'intérieur. Éloignez-vous des fenêtres.",
                field=field,
                level=level,
            )


@check("PN105", basis="Loi n° 2005-102, art. 47; RGAA 4, criteria 1.1 and 1.3.")
def pictures_described(context: CheckContext) -> Iterator[Remark]:
    """Require a description of each picture, in each language."""
    for field, alt in alts_of(context.message):
        if len(alt) < MIN_ALT or _FILE_NAME.fullmatch(alt) or set(fold(alt).split()) <= _MEANINGLESS:
            yield Remark(
                "People who cannot see the picture do not learn what it shows.",
                f"Describe it in a sentence of at least {MIN_ALT} characters; a file name does not describe it.",
                field=field,
            )


@check(
    "PN106",
    basis=f"{FIVE_CONTENTS}: hazard. A post begins with the category's hashtag; this is for categories without one.",
    field="headline",
    levels=(Level.ADVISE,),
)
def hazard_named(context: CheckContext) -> Iterator[Remark]:
    """Require the category's label first in the headline if it has no hashtag."""
    message, label = context.message, context.profile.label(context.message.language)
    if not context.of_incident or context.profile.hashtag(message.language, message.severity):
        return
    beginning = fold(message.headline[:HAZARD_WITHIN]).split()
    if not set(fold(label).split()) & set(beginning):
        yield Remark(
            f"Neither its first {HAZARD_WITHIN} characters nor a hashtag names the danger.",
            f"Begin with it ({label}), or give the category a hashtag.",
            span=(0, min(HAZARD_WITHIN, len(message.headline))),
        )


@check(
    "PN112",
    basis=f"{FIVE_CONTENTS}: hazard. Emoji and punctuation alone mean something else to everyone.",
)
def headline_readable(context: CheckContext) -> Iterator[Remark]:
    """Require a word in the headline, in each language."""
    for _, field, headline in texts_of(context.message, "headline"):
        if not fold(headline):
            yield Remark("There is no word in it.", "Describe in a few words what happens.", field=field)


@check(
    "PN113",
    basis="twitter-text 3.1.0 links bare domains, and .la, .de and .au are countries: fermé.La is a link.",
    levels=(Level.ADVISE,),
)
def spaces_after_stops(context: CheckContext) -> Iterator[Remark]:
    """Report a missing space that is added, so that nothing becomes a link."""
    for field, fix, span in _fixes(context, "space"):
        yield Remark(
            f"In “{fix.original}” a space is missing, and networks may make it a link to an unrelated site. "
            f"It goes out as “{fix.replacement}”.",
            "Put the space after the full stop; or, if it is an address, write https:// before it.",
            field=field,
            span=span,
        )


@check(
    "PN114",
    basis="A mention notifies a third person; X restricts mentions by programs, and hides posts that begin so.",
    levels=(Level.ADVISE,),
)
def no_unintended_mention(context: CheckContext) -> Iterator[Remark]:
    """Report a mention that is taken out, and warn of one that is not named in words."""
    for field, fix, span in _fixes(context, "mention"):
        words = "" if field.startswith("location.") else handles_in_words(fix.original, context.names)
        named = words not in {"", fix.original}
        yield Remark(
            f"“{fix.original}” would notify that account. "
            f"It goes out as “{words if named else fix.replacement.strip()}”.",
            "Write its name in words, or under names in the settings; or list it under mentions of the channel.",
            field=field,
            span=span,
        )


@check(
    "PN120",
    basis="Grevisse, Le bon usage: à and de merge with the article of a town, as in au Havre, des Matelles.",
    levels=(Level.ADVISE,),
)
def prepositions_merged(context: CheckContext) -> Iterator[Remark]:
    """Report a preposition that is merged with the article of the commune, or elided before its name."""
    place = context.message.location
    name = place.commune_name if place else None
    for language, field, text in texts_of(context.message, "headline", "description", "instruction"):
        if name and language.partition("-")[0] == "fr" and contract(text, name) != text:
            yield Remark(
                f"In French, {name} merges with the word before it. It goes out as “{at(name)}” and “{of(name)}”.",
                "Write it so.",
                field=field,
            )


def _fixes(
    context: CheckContext, kind: Literal["space", "mention"]
) -> Iterator[tuple[str, Fix, tuple[int, int] | None]]:
    """Yield field, fix and, if it is known, span of each repair by the rendering."""
    for field, text in visible_texts(context.message):
        shown = clean(text)
        mentions = frozenset() if field.startswith("location.") else context.mentions
        for fix in repair(shown, mentions).fixes:
            if fix.kind == kind:
                # Invisible characters are removed first, so positions may differ in the text as typed.
                start = fix.start if shown == text else text.find(fix.original)
                yield field, fix, (start, start + len(fix.original)) if start >= 0 else None


def visible_texts(message: Message) -> Iterator[tuple[str, str]]:
    """Yield field and text of everything that readers see."""
    yield from ((field, text) for _, field, text in seen_texts(message))


def alts_of(message: Message) -> Iterator[tuple[str, str]]:
    """Yield field and text of each description of a picture."""
    yield from ((f"images.{number}.alt", image.alt) for number, image in enumerate(message.images))
    for translation in message.translations:
        yield from (
            (f"translations.{translation.language}.alts.{number}", alt) for number, alt in enumerate(translation.alts)
        )
