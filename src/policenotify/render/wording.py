"""The one function that words a leg."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, tzinfo

from policenotify.channel import Configured, Picture, Post, Span
from policenotify.errors import CannotFit
from policenotify.message import Message
from policenotify.receipt import History, Leg, Wording
from policenotify.render.mail import fit_mail, mail_parts, subject
from policenotify.render.post import exercise, post_parts
from policenotify.render.scene import Scene
from policenotify.text.budget import Budget
from policenotify.text.characters import one_line
from policenotify.text.fitting import Fitted, fit, thread
from policenotify.text.spans import spans_of
from policenotify.words.phrases import Words
from policenotify.words.profile import Profile


def render(  # noqa: PLR0913 - all that a wording depends on, and nothing from anywhere else
    message: Message,
    leg: Leg,
    *,
    channel: Configured,
    key: str,
    created_at: datetime,
    words: Words,
    profile: Profile,
    zone: tzinfo,
    sender: str,
    history: History,
    pictures: tuple[Picture, ...],
    reference: str = "",
) -> Wording:
    """Word a message for one leg: to stand alone and, where there is something to answer, to hang under it.

    Args:
        message: The resolved message.
        leg: Where it goes.
        channel: The channel of the leg.
        key: The post's key; both wordings have it, since only one of them will go out.
        created_at: When the post is said; also what "today" is.
        words: The fixed phrases of the leg's language.
        profile: What the message's category means.
        zone: The readers' zone.
        sender: The service's name, unless the message has one.
        history: The incident's earlier publications.
        pictures: The message's pictures, in its order.
        reference: What people may call the incident, where its posts do not hang together.

    Returns:
        The wording; `gave_way` says what had to be left out.

    Raises:
        CannotFit: What must be said does not fit, and the network has no threads.
    """
    scene = Scene(
        message=message,
        language=leg.language,
        words=words,
        profile=profile,
        now=created_at,
        zone=zone,
        history=history,
        sender=message.sender or sender,
        reference=reference if not channel.abilities.replies else "",
        hashtags=channel.abilities.hashtags,
    )
    shown = _described(scene, pictures)[: channel.abilities.images]
    kept_out = len(pictures) - len(shown)
    notes = [f"{kept_out} of {len(pictures)} pictures left out"] if kept_out else []
    notes += _lost(scene, channel.abilities.budget)

    def wording(*, standalone: bool) -> tuple[tuple[Post, ...], tuple[str, ...]]:
        fitted, title, html = _worded(scene, channel, shown, standalone=standalone)
        texts = (fitted.text,) if fitted.fits else _thread(scene, channel)
        if not texts:
            raise CannotFit(channel.name, fitted.used, fitted.limit)
        post = Post(
            key=key,
            account=leg.account,
            stage=message.stage,
            category=message.category,
            language=scene.said.language,
            text=texts[0],
            title=title,
            html=html,
            spans=_spans(texts[0]),
            link=message.link,
            pictures=shown,
            created_at=created_at,
            sender=one_line(scene.sender),
            exercise=message.exercise,
        )
        more = {"link": None, "pictures": ()}
        further = [post.model_copy(update={"text": text, "spans": _spans(text), **more}) for text in texts[1:]]
        return (post, *further), () if further else fitted.gave_way

    (standalone, *further), left_alone = wording(standalone=True)
    (reply, *_), left_reply = wording(standalone=False) if leg.answers else ((None,), ())
    gave_way = tuple(dict.fromkeys((*left_alone, *left_reply, *notes)))
    return Wording(leg=leg, standalone=standalone, reply=reply, further=tuple(further), gave_way=gave_way)


def _worded(
    scene: Scene, channel: Configured, pictures: tuple[Picture, ...], *, standalone: bool
) -> tuple[Fitted, str, str]:
    """Text, title and HTML, as the network wants them."""
    budget = channel.abilities.budget
    if channel.abilities.html:
        fitted, html = fit_mail(mail_parts(scene, pictures, standalone=standalone), budget)
        return fitted, subject(scene), html
    parts = post_parts(scene, standalone=standalone)
    if budget.spell is None:
        return fit(parts, budget), scene.headline, ""
    fitted = fit([replace(part, text=budget.spell(part.text)) for part in parts], budget)
    return replace(fitted, text=budget.spell(fitted.text)), scene.headline, ""  # the mark of a cut is no letter either


def _thread(scene: Scene, channel: Configured) -> tuple[str, ...]:
    """The texts of several posts; empty: it cannot be said so. Both wordings have the same ones."""
    abilities = channel.abilities
    if not abilities.replies or abilities.html:
        return ()
    return thread(post_parts(scene, standalone=False), abilities.budget, again=exercise(scene))


def _lost(scene: Scene, budget: Budget) -> list[str]:
    """What of the desk's own words the network's alphabet has not."""
    if budget.loses is None:
        return []
    said = scene.said
    lost = budget.loses(f"{scene.headline} {said.description} {said.instruction}")
    return [f"“{sign}” cannot be written there" for sign in dict.fromkeys(lost)]


def _spans(text: str) -> tuple[Span, ...]:
    return tuple(Span(**found._asdict()) for found in spans_of(text))


def _described(scene: Scene, pictures: tuple[Picture, ...]) -> tuple[Picture, ...]:
    """The pictures with their descriptions in the language of the leg."""
    alts = scene.said.alts or tuple(picture.alt for picture in pictures)
    return tuple(
        picture.model_copy(update={"alt": one_line(alt) or picture.alt})
        for picture, alt in zip(pictures, alts, strict=False)
    )
