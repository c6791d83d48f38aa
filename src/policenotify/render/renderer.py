"""The one function that words a leg."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from policenotify.channel import ChannelConfig, Picture, Post, Span
from policenotify.errors import MessageTooLong
from policenotify.model.history import RenderedPost, Target
from policenotify.render.context import RenderContext
from policenotify.render.mail import fit_mail, mail_parts, subject
from policenotify.render.short_post import ShortPost
from policenotify.text.budget import Budget
from policenotify.text.characters import one_line
from policenotify.text.fit import FitResult, Part, fit, split_thread
from policenotify.text.french_spacing import NO_BREAK
from policenotify.text.spans import spans_of


def render(scene: RenderContext, leg: Target, *, channel: ChannelConfig, key: str) -> RenderedPost:
    """Word a message for one leg: to stand alone and, where there is something to answer, to hang under it.

    Args:
        scene: The message in the leg's language: the same one for all legs in that language, which share its work.
        leg: Where it goes.
        channel: The channel of the leg.
        key: The post's key; both wordings have it, since only one of them will go out.

    Returns:
        The wording; `omitted` says what had to be left out.

    Raises:
        MessageTooLong: What must be said does not fit: neither whole, nor in a thread, nor in its briefest form.
    """
    scene = scene.once(RenderContext.mentioning, channel.mentions)
    message, can = scene.message, channel.capabilities
    shown = scene.once(_described)[: can.images]
    kept_out = len(scene.pictures) - len(shown)
    notes = [f"{kept_out} of {len(scene.pictures)} pictures left out"] if kept_out else []
    notes += _lost(scene, can.budget)

    def wording(*, standalone: bool) -> tuple[tuple[Post, ...], tuple[str, ...]]:
        fitted, title, html = _worded(scene, channel, shown, standalone=standalone)
        others = _distinct(scene, channel, lambda short: short.standalone if standalone else short.reply)
        texts: tuple[str, ...] = (fitted.text,) if fitted.fits else ()
        if not texts or others is None:
            texts, others = _thread(scene, channel) or (texts, others)
        if not texts and not channel.capabilities.html:
            fitted = _brief(scene, channel)
            texts = (fitted.text,) if fitted.fits else ()
        if others is None:  # words that are refused as a whole are better said briefly than not at all
            others = _distinct(scene, channel, lambda short: short.brief) or ()
        if not texts:
            raise MessageTooLong(channel.name, fitted.used, fitted.limit)
        post = Post(
            key=key,
            account=leg.account,
            stage=message.stage,
            category=message.category,
            language=scene.text.language,
            text=texts[0],
            title=title,
            html=html,
            spans=scene.once(_spans, texts[0]),
            link=message.link,
            pictures=shown,
            created_at=scene.now,
            sender=scene.signature,
            exercise=message.exercise,
            **_told_apart(scene, others, 0),
        )
        more = {"link": None, "pictures": ()}
        further = [
            post.model_copy(
                update={"text": text, "spans": _spans(scene, text), **more, **_told_apart(scene, others, number)}
            )
            for number, text in enumerate(texts[1:], 1)
        ]
        return (post, *further), () if further else fitted.omitted

    (standalone, *further), left_alone = wording(standalone=True)
    (reply, *_), left_reply = wording(standalone=False) if leg.reply_to else ((None,), ())
    omitted = tuple(dict.fromkeys((*left_alone, *left_reply, *notes)))
    return RenderedPost(target=leg, standalone=standalone, reply=reply, continuations=tuple(further), omitted=omitted)


def _worded(
    scene: RenderContext, channel: ChannelConfig, pictures: tuple[Picture, ...], *, standalone: bool
) -> tuple[FitResult, str, str]:
    """Text, title and HTML, as the network wants them."""
    budget = channel.capabilities.budget
    if channel.capabilities.html:
        parts_of_mail = mail_parts(scene, pictures, standalone=standalone)
        fitted, html = fit_mail(parts_of_mail, budget, sentences=scene.of_incident)
        return fitted, scene.once(subject), html
    short = _short(scene, channel)
    parts = short.standalone if standalone else short.reply
    return _fitted(parts, budget), scene.headline, ""


def _fitted(parts: Sequence[Part], budget: Budget) -> FitResult:
    """The parts in the alphabet of the network, made to fit."""
    if budget.transliterate is None:
        return fit(parts, budget)
    fitted = fit([Part(budget.transliterate(part.text), part.rule, part.order, part.name) for part in parts], budget)
    return replace(fitted, text=budget.transliterate(fitted.text))  # the mark of a cut is no letter either


def _brief(scene: RenderContext, channel: ChannelConfig) -> FitResult:
    """The least that may be said, and all that gave way for it."""
    short = _short(scene, channel)
    fitted = _fitted(short.brief, channel.capabilities.budget)
    # The link is told as the place of the rest.
    left = [f"{part.name} left out" for part in short.standalone if part.name and part.name != "link"]
    return replace(fitted, omitted=(*left, *fitted.omitted))


def _short(scene: RenderContext, channel: ChannelConfig, *, distinct: bool = False) -> ShortPost:
    """The pieces of a short post: the same ones for all channels that are alike."""
    can = channel.capabilities
    bracketed = can.hashtags and can.bracketed_hashtags
    named = scene.distinct if distinct else "" if can.replies else scene.named
    return scene.once(ShortPost, can.hashtags, bracketed, named, _hard_spaces(can.budget))


def _distinct(
    scene: RenderContext, channel: ChannelConfig, parts: Callable[[ShortPost], Sequence[Part]]
) -> tuple[str, ...] | None:
    """These parts with what tells them apart, where the network refuses repeated words; `None`: that does not fit."""
    can = channel.capabilities
    if not can.refuses_repeats or can.html:
        return ()
    fitted = _fitted(parts(_short(scene, channel, distinct=True)), can.budget)
    return (fitted.text,) if fitted.fits else None


def _told_apart(scene: RenderContext, others: tuple[str, ...], number: int) -> dict[str, Any]:
    """The fields of a post that hold the text by which it is told from another one."""
    if not others:
        return {}
    return {"distinct": others[number], "distinct_spans": scene.once(_spans, others[number])}


def _hard_spaces(budget: Budget) -> bool:
    """Whether a space at which no line breaks costs no more than another; an alphabet that lacks it has none."""
    return budget.transliterate is None and budget.measure(f"a{NO_BREAK}b") == budget.measure("a b")


def _thread(scene: RenderContext, channel: ChannelConfig) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """The texts of several posts, and those that tell each apart; `None`: it cannot be said so.

    Both wordings have the same ones. Where there is no room for what tells them apart, there is none.
    """
    can = channel.capabilities
    if not can.replies or can.html:
        return None
    for behind in (f" {scene.distinct}", "") if can.refuses_repeats else ("",):
        budget = can.budget.reserve(behind) if behind else can.budget
        if texts := split_thread(_short(scene, channel).reply, budget, again=scene.exercise):
            return texts, tuple(f"{text}{behind}" for text in texts) if behind else ()
    return None


def _lost(scene: RenderContext, budget: Budget) -> list[str]:
    """What of the desk's own words the network's alphabet has not."""
    if budget.find_losses is None:
        return []
    said = scene.text
    lost = budget.find_losses(f"{scene.headline} {said.description} {said.instruction}")
    return [f"“{sign}” cannot be written there" for sign in dict.fromkeys(lost)]


def _spans(scene: RenderContext, text: str) -> tuple[Span, ...]:
    return tuple(Span(**found._asdict()) for found in spans_of(text, scene.mentions))


def _described(scene: RenderContext) -> tuple[Picture, ...]:
    """The pictures with their descriptions in the language of the leg."""
    alts = scene.text.alts or tuple(picture.alt for picture in scene.pictures)
    return tuple(
        picture.model_copy(update={"alt": one_line(alt) or picture.alt})
        for picture, alt in zip(scene.pictures, alts, strict=False)
    )
