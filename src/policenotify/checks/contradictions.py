"""Comparisons of the fields of a message, as it would be published: what is carried is compared with what is typed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from policenotify.checks.rule import FIVE_CONTENTS, CheckContext, Hit, all_clears, rule
from policenotify.findings import Level
from policenotify.model.cap import Severity
from policenotify.model.lifecycle import IncidentStatus, Stage
from policenotify.model.location import DETAILS
from policenotify.model.message import Category, Translation
from policenotify.model.texts import PROSE
from policenotify.text.comparison import contains_words, fold

_SEARCHES: Final = frozenset({Category.MISSING_PERSON, Category.CHILD_ABDUCTION_RELAY})
_AHEAD: Final = timedelta(minutes=15)
"""A start so little ahead, of what is under way by nature, is an hour that was mistyped."""

# All patterns are of texts without accents, case and punctuation: see `fold`.
_SHELTER: Final = re.compile(
    r"\b(?:restez (?:chez vous|a l interieur|a l abri|confine|enferme)|confinez|abritez|enfermez|mettez vous a l abri"
    r"|ne (?:sortez|quittez) pas|stay (?:in|indoors|home|at home)\b|take shelter|do not leave)"
)
_LEAVE: Final = re.compile(
    r"\b(?:(?<!\bn )evacuez|(?<!\bne )quittez|evacuate|leave (?:the area|your)"
    r"|evacuation (?:immediate|(?:du|de la|des) (?:quartier|secteur|zone|perimetre|village|habitants|riverains)))\b"
)
_GOES: Final = re.compile(r"\b(?:eloignez vous|rejoignez|rassemblez vous|dirigez vous|si l|si la|si le|move away|if)\b")
"""What shows that an order to stay is for the place where people arrive, or one of the two for a case to come."""
_AVOID: Final = re.compile(
    r"\b(?:evitez (?:le|la|l|ce|cette|les (?:abords|axes|quais|rues))|eloignez vous|n empruntez pas"
    r"|ne (?:circulez|passez|approchez|venez|sortez) pas|contournez|restez (?:chez vous|a l ecart|a l abri)"
    r"|avoid (?:the|this)|keep away|stay (?:away|inside|indoors|home)|do not (?:enter|use|approach))\b"
)
_HARMLESS: Final = re.compile(
    r"\b(?:fausse alerte|false alarm|(?:colis|engin|obus|bombe|bagage|objet|package|device)\b.{0,40}"
    r"\b(?:neutralise|inoffensif|desamorce|detruit|harmless|made safe))"
)
_IN_PART: Final = re.compile(
    r"\b(?:voies?|files?|sens|bretelles?|partiel\w*|en partie|progressi\w*|alternee?|sauf|reste\w*|bientot|sera|seront"
    r"|devrai\w*|en cours|lanes?|directions?|partly|partially|except|remains?|soon|will)\b"
)
_FOUND: Final = re.compile(
    r"\b(?:(?:a|ont|ete|est|sont) retrouvee?s?|^retrouvee?s?|retrouvee?s? (?:sain|vivant|deced|mort)\w*"
    r"|(?:been|is|are) found|^found|found (?:safe|alive|dead))\b"
)
_NOT: Final = re.compile(r"\b(?:pas|jamais|toujours|non|not|never|still|yet)\b")
_SEARCH: Final = re.compile(
    r"\b(?:(?<!\bn )appelez|signalez|composez|l avez vous|avez vous vu"
    r"|vous (?:la|le|les|l) (?:voyez|apercevez|reconnaissez)|call (?:17|112|116|the police)|have you seen)\b"
)
_LATER: Final = re.compile(
    r"\b(?:ser(?:a|ont) (?:\w+ ){0,3}(?:retabl|rouver|reouver|lev|termin|degag|normal)\w*|devrai(?:t|ent)"
    r"|dans un (?:seul )?sens|une? seule? (?:sens|voie)|en cours de (?:retablissement|reouverture|levee)"
    r"|(?:will|should) (?:be|re ?open)|in one direction)\b"
)


def _wordings(context: CheckContext) -> Iterator[tuple[str, str, str, Translation]]:
    """Yield the prefix of its fields, the headline and the instruction in plain letters, and each wording."""
    for words in context.message.wordings:
        prefix = "" if words.language == context.message.language else f"translations.{words.language}."
        yield prefix, fold(words.headline), fold(words.instruction), words


@rule("PN501", basis=f"{FIVE_CONTENTS}: guidance.", levels=(Level.SECOND,))
def correction_guides(context: CheckContext) -> Iterator[Hit]:
    """Ask for an instruction in the correction of a severe message."""
    message = context.message
    is_over = context.history.status is IncidentStatus.ENDED and not message.lifecycle.reopens
    if message.stage is not Stage.CORRECTION or is_over or not context.of_incident:
        return
    if context.severity.at_least(Severity.SEVERE) and not fold(message.instruction):
        yield Hit("instruction")


@rule(
    "PN502",
    basis=f"{FIVE_CONTENTS}: guidance.",
    levels=(Level.SECOND,),
    urgent=Level.ADVISE,  # an opening carries nothing, and orders to leave or to take shelter are never held
)
def shelter_or_leave(context: CheckContext) -> Iterator[Hit]:
    """Ask about a headline to leave with an instruction to stay inside, and the reverse."""
    for prefix, headline, instruction, _ in _wordings(context):
        for first, second in ((_SHELTER, _LEAVE), (_LEAVE, _SHELTER)):
            both = first.search(instruction) or _GOES.search(instruction)
            if first.search(headline) and second.search(instruction) and not both:
                yield Hit(f"{prefix}instruction")


@rule("PN503", basis=f"{FIVE_CONTENTS}: guidance.", levels=(Level.SECOND,))
def clear_or_avoid(context: CheckContext) -> Iterator[Hit]:
    """Ask about an all-clear with an instruction to keep away."""
    for prefix, headline, instruction, words in _wordings(context):
        if not _AVOID.search(instruction) or _IN_PART.search(headline):
            continue
        if _HARMLESS.search(headline) or True in all_clears(context, words.headline, words.language):
            yield Hit(f"{prefix}instruction")


@rule("PN504", basis=f"{FIVE_CONTENTS}: guidance.", levels=(Level.SECOND,))
def found_or_searched(context: CheckContext) -> Iterator[Hit]:
    """Ask about a person who was found, with an instruction to search."""
    for prefix, headline, instruction, _ in _wordings(context) if context.message.category in _SEARCHES else ():
        if _FOUND.search(headline) and not _NOT.search(headline) and _SEARCH.search(instruction):
            yield Hit(f"{prefix}instruction")


@rule("PN505", basis="Readers act on an end as soon as they see its sign.", levels=(Level.SECOND,))
def end_not_announced(context: CheckContext) -> Iterator[Hit]:
    """Warn of an end that is still to come, or that holds in one direction only."""
    for prefix, _, _, words in _wordings(context) if context.message.stage is Stage.END else ():
        for name in PROSE:
            if _LATER.search(fold(getattr(words, name))):
                yield Hit(f"{prefix}{name}")


@rule("PN506", basis=f"{FIVE_CONTENTS}: time.", levels=(Level.SECOND, Level.ADVISE))
def hours_agree(context: CheckContext) -> Iterator[Hit]:
    """Ask about an end before its last update, and about a start that is still to come of what has begun."""
    message, start, now = context.message, context.message.starts_at, context.now
    news = [entry for entry in context.history.standing.values() if entry.stage in {Stage.OPENING, Stage.UPDATE}]
    if start is None or message.stage is Stage.CANCELLATION:
        return
    if message.stage is Stage.END:
        if news and start < news[-1].at:
            yield Hit("starts_at", None, None, "end")
        return
    if now < start and any(entry.message.starts_at and entry.message.starts_at <= now for entry in news):
        yield Hit("starts_at")
    elif now < start <= now + _AHEAD and context.profile.ongoing and message.stage is Stage.OPENING:
        yield Hit("starts_at", None, Level.ADVISE)  # an opening is not held for some minutes


@rule("PN507", basis=f"{FIVE_CONTENTS}: place.", levels=(Level.SECOND, Level.ADVISE))
def place_is_its_own(context: CheckContext) -> Iterator[Hit]:
    """Warn of an end at the place of another open incident, and of the place of a withdrawn message."""
    message, place = context.message, context.message.location
    if place is None:
        return
    where = " ".join(place.details)
    text = " ".join(f"{words.headline} {words.description} {words.instruction}" for words in message.wordings)
    for town, _, details in (each.partition(", ") for each in context.open_places):
        if town == place.town and any(
            name and contains_words(f"{where} {text}", name) for name in details.split(DETAILS)
        ):
            yield Hit("location", None, None, "open")
            break
    standing = context.history.standing.values()
    gone = any(entry.withdrawn and entry.message.location == place for entry in context.history.entries)
    if gone and all(entry.message.location != place for entry in standing) and message.stage is not Stage.CANCELLATION:
        yield Hit("location", None, Level.ADVISE)
