"""The wording for networks with a subject line: mail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from policenotify.channel import Picture
from policenotify.lifecycle import Stage
from policenotify.render.scene import Scene
from policenotify.render_mail import MailParts, Tone, render_mail
from policenotify.scales import Severity
from policenotify.text.budget import Budget
from policenotify.text.fitting import Fitted, longest


def mail_parts(scene: Scene, pictures: tuple[Picture, ...], *, standalone: bool) -> MailParts:
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
        description=scene.set(scene.said.description),
        instruction=scene.set(scene.said.instruction),
        instruction_label=words.mail_action,
        context=scene.set(scene.context) if standalone else "",
        link=scene.message.link or "",
        link_label=words.mail_link,
        pictures=tuple((picture.digest, picture.alt) for picture in pictures),
        exercise=words.exercise_notice if scene.message.exercise else "",
        footer=scene.set(words.mail_footer.format(sender=scene.signature)),
    )


def subject(scene: Scene) -> str:
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


def fit_mail(parts: MailParts, budget: Budget) -> tuple[Fitted, str]:
    """The text within the budget, and its HTML; only the description may be shortened."""
    text, html = render_mail(parts)
    if budget.fits(text) or not parts.description:
        return Fitted(text, (), *budget.use(text)), html
    shorter = longest(parts.description, _fitting(parts, budget))
    text, html = render_mail(replace(parts, description=shorter))
    done = "shortened" if shorter else "left out"
    return Fitted(text, (f"description {done}",), *budget.use(text)), html


def _fitting(parts: MailParts, budget: Budget) -> Callable[[str], bool]:
    return lambda shorter: budget.fits(render_mail(replace(parts, description=shorter))[0])


def _tone(scene: Scene) -> Tone:
    severity = scene.message.severity or scene.profile.severity
    if scene.message.stage is Stage.END:
        return "clear"
    if scene.message.stage is Stage.CANCELLATION or not scene.of_incident:
        return "info"
    return "act" if severity.at_least(Severity.SEVERE) else "caution"
