"""Rules about the message as a whole: its place, its times, its stage, its pictures, its signs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from policenotify.checks.rule import (
    CALLS_TO_ACT,
    FIVE_CONTENTS,
    CheckContext,
    Hit,
    all_clears,
    every_text,
    rule,
    texts_of,
)
from policenotify.findings import Level
from policenotify.formats.roads import ROADS, is_for_traffic, is_only_a_hazard
from policenotify.model.cap import CapCategory, Severity
from policenotify.model.lifecycle import Stage
from policenotify.model.texts import TextKind
from policenotify.text.comparison import fold

NEXT_UPDATE: Final = timedelta(hours=1)
"""The proposed time until the next update."""

MIN_ALT: Final = 15
"""The shortest description of a picture, in characters, that can describe anything (RGAA 4, criterion 1.3)."""

_HOUR: Final = timedelta(hours=1)
_NIGHT: Final = timedelta(hours=12)  # a desk may promise news for the morning
_FOLLOWS: Final = frozenset({Stage.UPDATE, Stage.END, Stage.CORRECTION, Stage.CANCELLATION})
_FILE_NAME: Final = re.compile(
    r"\S+\.(?:jpe?g|png|gif|webp|heic|tiff?|bmp)|(?:IMG|DSC|PXL|image|photo)[\W_]*\d[\w.-]*", re.IGNORECASE
)
_MEANINGLESS: Final = frozenset(
    {"image", "photo", "picture", "illustration", "capture", "screenshot", "logo", "visuel"}
)


@rule("PN101", basis=f"{FIVE_CONTENTS}: place.")
def place_stated(context: CheckContext) -> Iterator[Hit]:
    """Require a commune, a road or a label, and for the weather or an abduction alert at least an area."""
    place, profile = context.message.location, context.profile
    wide = CapCategory.MET in profile.cap_categories or profile.search
    stated = place and (place.commune or place.road or place.label or (wide and (place.department or place.epci)))
    if context.of_incident and not stated:
        yield Hit("location")


@rule(
    "PN102",
    basis="INSEE, Code officiel géographique.",
)
def commune_exists(context: CheckContext) -> Iterator[Hit]:
    """Require the INSEE code of a present commune, or of one in the history."""
    place = (context.typed or context.message).location  # of a coarse category no commune is left in the other
    commune = place and place.commune
    earlier = {entry.message.location.commune for entry in context.history.entries if entry.message.location}
    if commune and commune not in earlier and not context.is_commune(commune):
        meant = context.communes_meant(commune)
        yield Hit("location.commune", variant="postcode" if meant else "", values={"commune": commune, "meant": meant})


@rule(
    "PN103",
    basis=f"{FIVE_CONTENTS}: guidance; Sutton, Olson and Waugh, 'The Warning Lexicon', Natural Hazards Review 25(1), "
    "2024.",
    levels=tuple(Level),
    urgent=Level.SECOND,
)
def instruction_given(context: CheckContext) -> Iterator[Hit]:
    """Require an instruction from moderate severity on, and advise one in each translation."""
    calls = context.of_incident and context.message.stage in CALLS_TO_ACT
    if not calls or not context.severity.at_least(Severity.MODERATE):
        return
    severe = context.severity.at_least(Severity.SEVERE)
    for field, instruction in texts_of(context.message, "instruction"):
        if not fold(instruction):
            own = field == "instruction"  # for want of a translation nobody is kept from the original
            level = Level.BLOCK if severe and own else Level.ADVISE
            yield Hit(field, level=level, values={"severity": context.severity})


@rule("PN104", basis=f"{FIVE_CONTENTS}: time.", levels=tuple(Level), urgent=Level.SECOND)
def time_stated(context: CheckContext) -> Iterator[Hit]:
    """Require a start, an end or the next update."""
    message = context.message
    stated = message.starts_at or message.expires_at or message.next_update_at
    if context.of_incident and message.stage in CALLS_TO_ACT and not stated:
        # An instruction is never held back because a time is missing.
        advises = bool(fold(message.instruction)) or not context.severity.at_least(Severity.SEVERE)
        proposed = context.local(context.now + NEXT_UPDATE)
        level = Level.ADVISE if advises else Level.BLOCK
        yield Hit("next_update_at", level=level, values={"proposed": proposed})


@rule("PN105", basis="Loi n° 2005-102, art. 47; RGAA 4, criteria 1.1 and 1.3.")
def pictures_described(context: CheckContext) -> Iterator[Hit]:
    """Require a description of each picture, in each language."""
    for _, field, alt in every_text(context.message, TextKind.DESCRIPTION):
        if len(alt) < MIN_ALT or _FILE_NAME.fullmatch(alt) or set(fold(alt).split()) <= _MEANINGLESS:
            yield Hit(field, values={"characters": MIN_ALT})


@rule(
    "PN107",
    basis="An end or correction without the message before it only alarms readers.",
    levels=(Level.BLOCK, Level.ADVISE),
)
def predecessor_exists(context: CheckContext) -> Iterator[Hit]:
    """Require an earlier publication of the incident, and the one that is corrected. Report one that cannot be read."""
    message, history = context.message, context.history
    if history.damage:
        rows = ", ".join(history.damage.rows)
        yield Hit("lifecycle.incident", level=Level.ADVISE, variant="damaged", values={"rows": rows})
    elif message.stage in _FOLLOWS and not history.entries:
        yield Hit("lifecycle.incident", values={"stage": message.stage})
    corrects = message.lifecycle.corrects
    if corrects and history.entries and history.entry(corrects) is None:
        yield Hit("lifecycle.corrects", variant="corrects", values={"publication": corrects})


@rule("PN108", basis="CAP 1.2, section 3.2.2 (expires).")
def not_expired(context: CheckContext) -> Iterator[Hit]:
    """Refuse an expiry in the past."""
    expires_at = context.message.expires_at
    if expires_at and expires_at <= context.now:
        yield Hit("expires_at", values={"time": context.local(expires_at)})


@rule(
    "PN109",
    basis="A broken promise of news makes people look for it elsewhere.",
    levels=(Level.BLOCK, Level.ADVISE),
)
def next_update_ahead(context: CheckContext) -> Iterator[Hit]:
    """Refuse a next update in the past, and warn of one far ahead or never shown."""
    promised, stage, now = context.message.next_update_at, context.message.stage, context.now
    if promised is None:
        return
    values = {"time": context.local(promised), "hours": (promised - now) // _HOUR, "stage": stage}
    if promised <= now:
        yield Hit("next_update_at", values=values)
    elif stage in CALLS_TO_ACT and promised - now > max(_NIGHT, context.profile.lifetime or _NIGHT):
        yield Hit("next_update_at", None, Level.ADVISE, "far", values=values)
    elif stage in {Stage.END, Stage.CANCELLATION}:
        yield Hit("next_update_at", None, Level.ADVISE, "last", values=values)


@rule(
    "PN110",
    basis="Sutton, Cain, Waugh and Olson, 2024: 'all clear' alone is jargon.",
    levels=(Level.ADVISE,),
)
def end_gives_all_clear(context: CheckContext) -> Iterator[Hit]:
    """Require an all-clear of the language in an end."""
    message = context.message
    text = f"{message.headline}\n{message.description}\n{message.instruction}"
    stated = all_clears(context, text, message.language) if message.stage is Stage.END else ()
    if stated and True not in stated:
        yield Hit("instruction")


@rule(
    "PN115",
    basis="Under the mark of an end, 'pas encore rétablie' contradicts it.",
    levels=(Level.ADVISE,),
)
def end_not_denied(context: CheckContext) -> Iterator[Hit]:
    """Warn of an end whose text denies an all-clear."""
    for part in context.prose if context.message.stage is Stage.END else ():
        if False in all_clears(context, part.original, part.language):
            yield Hit(part.field)


@rule(
    "PN111",
    basis="CAP 1.2, section 3.2.1 (status: Exercise).",
    levels=(Level.BLOCK, Level.ADVISE),
)
def exercise_marked_once(context: CheckContext) -> Iterator[Hit]:
    """Refuse the mark of an exercise on a real message, and warn of a second mark."""
    message = context.message
    marks = (locale.exercise for locale in context.locales.values())
    # In capitals: *Exercice de sécurité civile* is a subject, not a mark.
    mark = next((mark for mark in marks if re.match(rf"\W*{re.escape(mark)}\b", message.headline)), None)
    if mark and not message.exercise:
        yield Hit("exercise", (0, len(mark)), values={"mark": mark})
    elif mark:
        yield Hit("headline", (0, len(mark)), Level.ADVISE, "twice", values={"mark": mark})


@rule("PN112", basis=f"{FIVE_CONTENTS}: hazard.")
def headline_readable(context: CheckContext) -> Iterator[Hit]:
    """Require a word in the headline, in each language."""
    for field, headline in texts_of(context.message, "headline"):
        if not fold(headline):
            yield Hit(field)


@rule(
    "PN117",
    basis="CIFS: a closure needs a line and a street.",
    levels=(Level.ADVISE,),
)
def told_to_traffic_partners(context: CheckContext) -> Iterator[Hit]:
    """Explain why traffic partners do not get a closure, if a feed has `cifs` or `datex`."""
    message, typed = context.message, (context.typed or context.message).location
    drawn, kind = bool(typed and typed.polyline), ROADS.get(message.category)
    if not context.traffic or message.exercise or message.stage not in CALLS_TO_ACT or not (drawn or kind):
        return
    places = (entry.message.location for entry in reversed(context.history.entries))
    place = message.location or next(filter(None, places), None)
    if not is_for_traffic(message, place, points="cifs" not in context.traffic):
        yield Hit("location.polyline")
    elif kind and place and "cifs" in context.traffic and is_only_a_hazard(kind, place):
        yield Hit("location.polyline", variant="hazard")
