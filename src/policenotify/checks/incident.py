"""Checks of the incident: its place, its times and its stage."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from policenotify.checks.check import CALLS_TO_ACT, FIVE_CONTENTS, CheckContext, Remark, check, texts_of
from policenotify.findings import Level
from policenotify.model.cap import CapCategory, Severity
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Category
from policenotify.render.locales import Locale, best_match
from policenotify.text.comparison import affirms, fold

NEXT_UPDATE: Final = timedelta(hours=1)
"""The proposed time until the next update."""

_HOUR: Final = timedelta(hours=1)
_NIGHT: Final = timedelta(hours=12)  # a desk may promise news for the morning
_FOLLOWS: Final = frozenset({Stage.UPDATE, Stage.END, Stage.CORRECTION, Stage.CANCELLATION})


@check(
    "PN101",
    basis=f"{FIVE_CONTENTS}: place; repeated at every stage, since each may be the only one that a reader sees.",
    field="location",
)
def place_stated(context: CheckContext) -> Iterator[Remark]:
    """Require a commune, a road or a label, and for the weather or an abduction alert at least an area."""
    place, relays = context.message.location, context.message.category == Category.CHILD_ABDUCTION_RELAY
    wide = relays or CapCategory.MET in context.profile.cap_categories
    stated = place and (place.commune or place.road or place.label or (wide and (place.department or place.epci)))
    if context.of_incident and not stated:
        yield Remark(
            "Readers cannot see where it is.", "Give the commune (its INSEE code), a numbered road, or a label."
        )


@check(
    "PN102",
    basis="INSEE, Code officiel géographique. What follows may name the opening's commune even if it has merged.",
    field="location.commune",
)
def commune_exists(context: CheckContext) -> Iterator[Remark]:
    """Require the INSEE code of a present commune, or of one in the history."""
    commune = context.message.location and context.message.location.commune
    earlier = {entry.message.location.commune for entry in context.history.entries if entry.message.location}
    if commune and commune not in earlier and not context.is_commune(commune):
        yield Remark(
            f"No commune has the INSEE code {commune} today.",
            "Give the INSEE code, not the postcode; if communes have merged, give the new commune's.",
        )


@check(
    "PN104",
    basis=f"{FIVE_CONTENTS}: time, the one most often missing.",
    field="next_update_at",
    levels=(Level.BLOCK, Level.ADVISE),
)
def time_stated(context: CheckContext) -> Iterator[Remark]:
    """Require a start, an end or the next update."""
    message = context.message
    stated = message.starts_at or message.expires_at or message.next_update_at
    if context.of_incident and message.stage in CALLS_TO_ACT and not stated:
        # An instruction is never held back because a time is missing.
        advises = bool(fold(message.instruction)) or not context.severity.at_least(Severity.SEVERE)
        proposed = context.local(context.now + NEXT_UPDATE)
        yield Remark(
            "Readers do not know since when or until when it holds, nor when they will hear more.",
            f"Give next_update_at, by default in an hour: {proposed} (--next-update +1h). "
            "Else give starts_at or expires_at.",
            level=Level.ADVISE if advises else Level.BLOCK,
        )


@check(
    "PN108",
    basis="CAP 1.2, section 3.2.2 (expires): after that time the message does not hold.",
    field="expires_at",
)
def not_expired(context: CheckContext) -> Iterator[Remark]:
    """Refuse an expiry in the past."""
    expires_at = context.message.expires_at
    if expires_at and expires_at <= context.now:
        yield Remark(
            f"It held until {context.local(expires_at)}, and that is past.",
            "Give a later time, or do not publish it.",
        )


@check(
    "PN109",
    basis="A broken promise of news makes people look for it elsewhere.",
    field="next_update_at",
    levels=(Level.BLOCK, Level.ADVISE),
)
def next_update_ahead(context: CheckContext) -> Iterator[Remark]:
    """Refuse a next update in the past, and warn of one far ahead or never shown."""
    promised, stage, now = context.message.next_update_at, context.message.stage, context.now
    if promised is None:
        return
    longest = max(_NIGHT, context.profile.lifetime or _NIGHT)
    if promised <= now:
        yield Remark(
            f"It promises news at {context.local(promised)}, and that is past.", "Give a time that is still to come."
        )
    elif stage in CALLS_TO_ACT and promised - now > longest:
        yield Remark(
            f"It promises news only at {context.local(promised)}, in {(promised - now) // _HOUR} hours.",
            "Check the day: perhaps an earlier one was meant.",
            level=Level.ADVISE,
        )
    elif stage in {Stage.END, Stage.CANCELLATION}:
        yield Remark(
            f"An {stage} is the last message; the promise of news is not shown.",
            "Leave it out, or publish an update instead.",
            level=Level.ADVISE,
        )


@check(
    "PN107",
    basis="An end or correction without the message before it only alarms readers.",
    field="lifecycle.incident",
)
def predecessor_exists(context: CheckContext) -> Iterator[Remark]:
    """Require an earlier publication of the incident, and the one that is corrected."""
    message, history = context.message, context.history
    if message.stage in _FOLLOWS and not history.entries:
        yield Remark(
            f"This is an {message.stage}, but nothing was published of it before.",
            "Check the incident's id. If nothing was published yet, publish an opening.",
        )
    corrects = message.lifecycle.corrects
    if corrects and history.entries and history.entry(corrects) is None:
        yield Remark(
            f"Publication {corrects} does not belong to this incident.",
            "Check the id of the publication that is to be corrected.",
            field="lifecycle.corrects",
        )


@check(
    "PN110",
    basis="Sutton, Cain, Waugh and Olson, on all-clear messages, 2024: 'all clear' alone is jargon.",
    field="instruction",
    levels=(Level.ADVISE,),
)
def end_gives_all_clear(context: CheckContext) -> Iterator[Remark]:
    """Require an all-clear of the language in an end."""
    message = context.message
    locale = best_match(message.language, context.locales)
    if message.stage is not Stage.END or locale is None or not locale.all_clear:
        return
    text = f"{message.headline}\n{message.description}\n{message.instruction}"
    if True not in _all_clears(text, locale).values():
        yield Remark(
            "It announces the end, but not what people may do again.",
            "Add it: Vous pouvez circuler normalement. La circulation est rétablie. Le périmètre est levé.",
        )


@check(
    "PN115",
    basis="An all-clear with a negation before it, such as 'pas encore rétablie', under the mark of an end.",
    levels=(Level.ADVISE,),
)
def end_not_denied(context: CheckContext) -> Iterator[Remark]:
    """Warn of an end whose text denies an all-clear."""
    if context.message.stage is not Stage.END:
        return
    for language, field, text in texts_of(context.message, "headline", "description", "instruction"):
        locale = best_match(language, context.locales)
        denied = [phrase for phrase, stated in (_all_clears(text, locale) if locale else {}).items() if stated is False]
        if denied:
            yield Remark(
                f"An end announces that it is over, and this denies it: not “{min(denied, key=len)}”.",
                "Publish an update instead, or state what people may do again.",
                field=field,
            )


def _all_clears(text: str, locale: Locale) -> dict[str, bool | None]:
    """Return whether the text states or denies each all-clear, or neither."""
    return {
        phrase: affirms(text, phrase, negations=locale.negations, conjunctions=locale.conjunctions)
        for phrase in locale.all_clear
    }


@check(
    "PN111",
    basis="CAP 1.2, section 3.2.1 (status: Exercise); the mark is added by the rendering.",
    field="exercise",
    levels=(Level.BLOCK, Level.ADVISE),
)
def exercise_marked_once(context: CheckContext) -> Iterator[Remark]:
    """Refuse the mark of an exercise on a real message, and warn of a second mark."""
    message = context.message
    marks = (locale.exercise for locale in context.locales.values())
    # In capitals: *Exercice de sécurité civile* is a subject, not a mark.
    mark = next((mark for mark in marks if re.match(rf"\W*{re.escape(mark)}\b", message.headline)), None)
    if mark and not message.exercise:
        yield Remark(
            f"It begins with {mark} and would go to the public as a real message.",
            "Set exercise to true, or change the headline.",
            span=(0, len(mark)),
        )
    elif mark:
        yield Remark(
            f"{mark} would stand there twice: every post of an exercise is marked.",
            "Leave it out of the headline.",
            field="headline",
            level=Level.ADVISE,
            span=(0, len(mark)),
        )
