"""Checks of the stage: what a message follows, what an end announces, and the mark of an exercise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from policenotify.checks.check import CheckContext, Remark, check, texts_of
from policenotify.findings import Level
from policenotify.model.lifecycle import Stage
from policenotify.render.locales import Locale, best_match
from policenotify.text.comparison import affirms

_FOLLOWS: Final = frozenset({Stage.UPDATE, Stage.END, Stage.CORRECTION, Stage.CANCELLATION})


@check(
    "PN107",
    basis="An end or correction of what nobody has read only alarms.",
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
    levels=(Level.WARNING,),
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
    levels=(Level.WARNING,),
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
                f"An end announces that it is over, and this denies it: not “{denied[0]}”.",
                "Publish an update instead, or state what people may do again.",
                field=field,
            )


def _all_clears(text: str, locale: Locale) -> dict[str, bool | None]:
    """Return for each all-clear of the language True if the text states it, False if it denies it, else None."""
    return {
        phrase: affirms(text, phrase, negations=locale.negations, conjunctions=locale.conjunctions)
        for phrase in locale.all_clear
    }


@check(
    "PN111",
    basis="CAP 1.2, section 3.2.1 (status: Exercise); the mark is added by the rendering.",
    field="exercise",
    levels=(Level.ERROR, Level.WARNING),
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
            level=Level.WARNING,
            span=(0, len(mark)),
        )
