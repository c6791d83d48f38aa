"""The wording for networks with a subject line: mail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from policenotify.channel import Picture
from policenotify.model.cap import Severity
from policenotify.model.lifecycle import Stage
from policenotify.render.context import RenderContext
from policenotify.render.mail_format import MailParts, Tone, render_mail
from policenotify.text.budget import Budget
from policenotify.text.fit import FitResult, truncate


def mail_parts(scene: RenderContext, pictures: tuple[Picture, ...], *, standalone: bool) -> MailParts:
    """The pieces of a mail."""
    words, place = scene.words, scene.place
    label = scene.profile.label(scene.language)
    return MailParts(
        language=scene.language,
        banner=f"{label}{words.dash}{scene.mark}" if scene.mark else label,
        tone=_tone(scene),
        headline=scene.set(scene.headline),
        place=scene.set(f"{place.whole()} ({place.department})" if place.department else place.whole()),
        facts=tuple((name, scene.set(fact)) for name, fact in scene.teller.facts(scene.message, scene.profile)),
        description=scene.set(scene.text.description),
        instruction=scene.set(scene.text.instruction),
        instruction_label=words.mail_action,
        context=scene.set(scene.context) if standalone else "",
        link=scene.message.link or "",
        link_label=words.mail_link,
        pictures=tuple(picture.alt for picture in pictures),
        exercise=words.exercise_notice if scene.message.exercise else "",
        footer=scene.set(words.mail_footer.format(sender=scene.signature)),
    )


def subject(scene: RenderContext) -> str:
    """Return the subject: stage, category, place and headline of this message.

    It says what holds now. Mailboxes keep an incident together by `References`. It is what a locked screen shows, so
    the headline is left out where the category is discreet. A cancellation names category and place only.

    `[Accident] Montpellier, avenue de Toulouse – Accident de la circulation`, later `TERMINÉ – [Accident] …`.
    """
    place = scene.place
    if scene.profile.discreet or scene.message.stage is Stage.CANCELLATION:
        told = place.whole()
    else:
        where = ", ".join(filter(None, ("" if scene.tagged else place.name, scene.detail)))
        told = scene.words.dash.join(filter(None, (where, scene.plain)))
    stem = f"[{scene.profile.label(scene.language)}] {told}".rstrip()
    marks = (scene.words.exercise if scene.message.exercise else "", scene.mark)
    return scene.words.dash.join(filter(None, (*marks, stem)))


def fit_mail(parts: MailParts, budget: Budget, *, sentences: bool) -> tuple[FitResult, str]:
    """The text within the budget, and its HTML: the description is shortened or left out, then the instruction cut.

    Args:
        parts: What it says.
        budget: Of the text.
        sentences: Shorten the description at the end of a sentence only; the instruction never is elsewhere.
    """
    omitted: list[str] = []
    text, html = render_mail(parts)
    if not budget.fits(text) and parts.description:
        shorter = truncate(parts.description, _fitting(parts, "description", budget), sentences=sentences)
        parts = replace(parts, description=shorter)
        omitted.append(f"description {'shortened' if shorter else 'left out'}")
        text, html = render_mail(parts)
    if not budget.fits(text) and (
        shorter := truncate(parts.instruction, _fitting(parts, "instruction", budget), sentences=True)
    ):
        omitted.append("instruction shortened")
        text, html = render_mail(replace(parts, instruction=shorter))
    return FitResult(text, tuple(omitted), *budget.usage(text)), html


def _fitting(parts: MailParts, field: Literal["description", "instruction"], budget: Budget) -> Callable[[str], bool]:
    def fits(shorter: str) -> bool:
        changed = replace(parts, description=shorter) if field == "description" else replace(parts, instruction=shorter)
        return budget.fits(render_mail(changed)[0])

    return fits


def _tone(scene: RenderContext) -> Tone:
    severity = scene.message.severity or scene.profile.severity
    if scene.message.stage is Stage.END:
        return "clear"
    if scene.message.stage is Stage.CANCELLATION or not scene.of_incident:
        return "info"
    return "act" if severity.at_least(Severity.SEVERE) else "caution"
