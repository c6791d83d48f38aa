"""Render a message for one target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from policenotify.channel import ChannelConfig, Picture, Post, Span
from policenotify.errors import MessageTooLong
from policenotify.model.history import Outcome, RenderedPost, Target
from policenotify.model.message import Message
from policenotify.model.post import EventInfo
from policenotify.render.context import RenderContext
from policenotify.render.mail import lasting_title, mail_parts, render_mail, subject
from policenotify.render.public_message import public_message
from policenotify.render.short_post import DESCRIPTION, LINK, REFERENCE, ShortPost, Wording
from policenotify.text.budget import Budget
from policenotify.text.characters import one_line
from policenotify.text.fit import FitResult, Part, fit, split_thread
from policenotify.text.links import find_links
from policenotify.translation import AnyText, Text

_NO_KEY = "0" * 64
_UNSEEN = frozenset({Outcome.REFUSED, Outcome.SUPERSEDED, Outcome.SKIPPED})


def render(context: RenderContext, target: Target, *, channel: ChannelConfig, key: str) -> RenderedPost:
    """Render a message for one target: standalone and, if it answers, as a reply.

    Args:
        context: The message in the target's language. All targets in that language share it.
        target: The target.
        channel: The channel of the target.
        key: The key of both forms, since only one of them is sent.

    Returns:
        The post. `omitted` lists what was left out.

    Raises:
        MessageTooLong: The required parts do not fit: neither whole, nor in a thread, nor in their briefest form.
    """
    capabilities = channel.capabilities.for_severity(context.message.severity)
    if capabilities is not channel.capabilities:
        channel = channel.model_copy(update={"capabilities": capabilities})
    context = context.cached(RenderContext.on_channel, channel.mentions)
    pictures = context.cached(_described_pictures)[: capabilities.images]
    left_out = len(context.pictures) - len(pictures)
    notes: list[AnyText] = (
        [
            Text.counted(
                "{count} of {pictures_count} pictures left out",
                "{count} of {pictures_count} pictures left out",
                count=left_out,
                pictures_count=len(context.pictures),
            )
        ]
        if left_out
        else []
    )
    notes += _unwritable(context, capabilities.budget)
    notes += [Text("the text, which has no translation: fixed phrases stand in")] if context.is_untranslated else []

    def posts(*, standalone: bool) -> tuple[tuple[Post, ...], tuple[AnyText, ...]]:
        fitted, title, html = _fitted_whole(context, channel, pictures, standalone=standalone)
        distinct = _distinct(context, channel, lambda short: short.standalone if standalone else short.reply)
        texts: tuple[str, ...] = (fitted.text,) if fitted.fits else ()
        if not texts or distinct is None:
            texts, distinct = _thread(context, channel) or (texts, distinct)
        if not texts and not capabilities.html:
            fitted = _brief(context, channel)
            texts = (fitted.text,) if fitted.fits else ()
        if distinct is None:  # a brief text is better than one that the network refuses as a repetition
            distinct = _distinct(context, channel, lambda short: short.brief()) or ()
        if not texts:
            raise MessageTooLong(channel.name, fitted.used, fitted.limit)
        post = context.cached(_blank, capabilities.structured).model_copy(
            update={
                "key": key,
                "account": target.account,
                "text": texts[0],
                "title": title,
                "html": html,
                "spans": context.cached(_spans, texts[0]),
                "pictures": pictures,
                **_distinct_fields(context, distinct, 0),
            }
        )
        continuations = [
            post.model_copy(
                update={
                    "text": text,
                    "spans": _spans(context, text),
                    "link": None,
                    "pictures": (),
                    "message": None,
                    "event": None,
                    "place": "",
                    **_distinct_fields(context, distinct, number),
                }
            )
            for number, text in enumerate(texts[1:], 1)
        ]
        return (post, *continuations), () if continuations else fitted.omitted

    (standalone, *continuations), omitted = posts(standalone=True)
    names_earlier = target.reply_to or context.back_reference
    (reply, *_), omitted_in_reply = posts(standalone=False) if names_earlier else ((None,), ())
    return RenderedPost(
        target=target,
        standalone=standalone,
        reply=reply,
        reached=context.has_reached(target),
        continuations=tuple(continuations),
        omitted=tuple(dict.fromkeys((*omitted, *omitted_in_reply, *notes))),
    )


def _fitted_whole(
    context: RenderContext, channel: ChannelConfig, pictures: tuple[Picture, ...], *, standalone: bool
) -> tuple[FitResult, str, str]:
    """Return text, title and HTML in one post."""
    budget = channel.capabilities.budget
    if channel.capabilities.html:
        text, html = render_mail(mail_parts(context, pictures, standalone=standalone))
        return FitResult(text, (), *budget.usage(text)), context.cached(subject), html
    short = _short_post(context, channel)
    title = context.cached(lasting_title) if channel.capabilities.structured else context.headline
    return _fitted(short.standalone if standalone else short.reply, budget, short.more), title, ""


def _fit(parts: Sequence[Part], budget: Budget, more: str) -> FitResult:
    """Return the parts within the budget. Where the description gave way, *more* takes the place of the link."""
    result = fit(parts, budget)
    if more and any(str(note).startswith(f"{DESCRIPTION} ") for note in result.omitted):
        return fit([part._replace(text=more) if part.name == LINK else part for part in parts], budget)
    return result


def _fitted(parts: Sequence[Part], budget: Budget, more: str = "") -> FitResult:
    """Return the parts within the budget, in the alphabet of the network."""
    if budget.transliterate is None:
        return _fit(parts, budget, more)
    transliterate = budget.transliterate
    spelled_texts: dict[str, str] = {}  # the same texts are measured, priced and spelled

    def spell(text: str) -> str:
        if (known := spelled_texts.get(text)) is None:
            known = spelled_texts[text] = transliterate(text)
        return known

    measured: dict[str, int] = {}

    def measure(text: str) -> int:
        if (known := measured.get(text)) is None:
            known = measured[text] = budget.measure(spell(text))
        return known

    spelled = replace(budget, measure=measure)

    def fitted(parts: Sequence[Part]) -> FitResult:
        result = _fit(parts, spelled, more)
        return replace(result, text=spell(result.text))

    whole = fitted(parts)
    references = [part for part in parts if part.name == REFERENCE]
    if not references or budget.price is None:
        return whole
    # The reference is not worth a message of its own. First the end of the text is tried, because that costs little.
    price, size = budget.price(whole.text), sum(len(part.text) + 1 for part in references)
    if budget.price(whole.text[:-size]) >= price:
        return whole
    cheaper = fitted([part for part in parts if part not in references])
    without = replace(cheaper, omitted=(*cheaper.omitted, Text("{reference} left out", reference=REFERENCE)))
    return without if budget.price(cheaper.text) < price else whole


def _brief(context: RenderContext, channel: ChannelConfig) -> FitResult:
    """Return the least that may be published, with all that was left out for it."""
    short = _short_post(context, channel)
    fitted = _fitted(short.brief(), channel.capabilities.budget)
    # The link stays, as the place of the rest.
    left_out = [
        Text("{name} left out", name=part.name) for part in short.standalone if part.name not in {"", "link", REFERENCE}
    ]
    return replace(fitted, omitted=(*left_out, *fitted.omitted))


def _short_post(context: RenderContext, channel: ChannelConfig, *, distinct: bool = False) -> ShortPost:
    """Return the parts of a short post, shared by channels that are alike."""
    capabilities = channel.capabilities
    bracketed = capabilities.hashtags and capabilities.bracketed_hashtags and channel.hashtags == "inline"
    identifier = context.unique_suffix if distinct else "" if capabilities.replies else context.incident_name
    signed = capabilities.recipients and _is_first(context, channel)
    for_phones = capabilities.recipients and not capabilities.html
    wording = context.cached(Wording, capabilities.hashtags, bracketed, for_phones, signed)
    return wording.identified(identifier)


def _is_first(context: RenderContext, channel: ChannelConfig) -> bool:
    """Return True if the channel's readers have nothing of the incident yet."""
    posts = [part for entry in context.history.entries for part in entry.posts]
    seen = any(part.channel == channel.name and part.outcome not in _UNSEEN for part in posts)
    return context.is_opening or (bool(posts) and not seen)


def _distinct(
    context: RenderContext, channel: ChannelConfig, parts: Callable[[ShortPost], Sequence[Part]]
) -> tuple[str, ...] | None:
    """Return the text with a unique suffix, if needed. `None`: it does not fit."""
    capabilities = channel.capabilities
    if not capabilities.refuses_repeats or capabilities.html:
        return ()
    short = _short_post(context, channel, distinct=True)
    fitted = _fitted(parts(short), capabilities.budget, short.more)
    return (fitted.text,) if fitted.fits else None


def _distinct_fields(context: RenderContext, distinct: tuple[str, ...], number: int) -> dict[str, Any]:
    if not distinct:
        return {}
    return {"distinct": distinct[number], "distinct_spans": context.cached(_spans, distinct[number])}


def _thread(context: RenderContext, channel: ChannelConfig) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Return the texts of a thread and the same with a unique suffix, if possible.

    The reply and the standalone form share them. The suffix is left out if there is no space for it.
    """
    capabilities = channel.capabilities
    if not capabilities.replies or capabilities.html:
        return None
    for suffix in (f" {context.unique_suffix}", "") if capabilities.refuses_repeats else ("",):
        budget = capabilities.budget.reserve(suffix) if suffix else capabilities.budget
        if texts := split_thread(_short_post(context, channel).reply, budget, again=context.exercise_mark):
            return texts, tuple(f"{text}{suffix}" for text in texts) if suffix else ()
    return None


def _unwritable(context: RenderContext, budget: Budget) -> list[AnyText]:
    """Return a note for each character that the network's alphabet lacks."""
    if budget.find_losses is None:
        return []
    text = context.text
    characters = budget.find_losses(f"{context.headline} {text.description} {text.instruction}")
    return [
        Text("“{character}” cannot be written there", character=character) for character in dict.fromkeys(characters)
    ]


def _spans(context: RenderContext, text: str) -> tuple[Span, ...]:
    return tuple(Span(**span._asdict()) for span in find_links(text, context.mentions))


def _blank(context: RenderContext, structured: bool) -> Post:  # noqa: FBT001 - a key of the cache
    """Return what the posts of all channels share. Pydantic reads it once, and not again for each channel."""
    return Post(
        key=_NO_KEY,
        account="",
        stage=context.message.stage,
        category=context.message.category,
        language=context.text.language,
        text="",
        link=context.message.link,
        created_at=context.now,
        sender=context.signature,
        exercise=context.message.exercise,
        message=context.cached(_public_message) if structured else None,
        event=context.cached(_event) if structured else None,
        place=context.place.full() if structured else "",
    )


def _public_message(context: RenderContext) -> Message:
    return public_message(context.message, thread=context.thread, label=context.label)


def _event(context: RenderContext) -> EventInfo:
    profile, severity = context.profile, context.message.severity
    return EventInfo(
        labels={language: profile.label(language, severity) for language in (context.language, *profile.labels)},
        categories=profile.cap_categories,
        code=profile.event_code,
        responses=profile.response_types,
        lifetime=profile.lifetime,
    )


def _described_pictures(context: RenderContext) -> tuple[Picture, ...]:
    """Return the pictures with their descriptions in the language of the target."""
    alts = context.text.alts or tuple(picture.alt for picture in context.pictures)
    return tuple(
        picture.model_copy(update={"alt": one_line(alt) or picture.alt})
        for picture, alt in zip(context.pictures, alts, strict=False)
    )
