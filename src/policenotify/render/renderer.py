"""Render a message for one target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from policenotify.channel import ChannelConfig, Picture, Post, Span
from policenotify.errors import MessageTooLong
from policenotify.model.history import Outcome, RenderedPost, Target
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.model.post import EventInfo
from policenotify.model.texts import TextField, TextKind, reworded
from policenotify.render.context import RenderContext
from policenotify.render.mail import render_mail, subject
from policenotify.render.short_post import DESCRIPTION, LINK, REFERENCE, Wording
from policenotify.text.budget import Budget
from policenotify.text.characters import clean, one_line
from policenotify.text.fit import FitResult, Part, fit, split_thread
from policenotify.text.links import find_links
from policenotify.translation import AnyText, Text

_NO_KEY = "0" * 64
_CONTINUED = {"link": None, "pictures": (), "message": None, "event": None, "place": ""}  # of further posts
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
    context = replace(context, mentions=channel.mentions) if channel.mentions != context.mentions else context
    pictures = _described_pictures(context)[: capabilities.images]
    notes = list(_notes(context, capabilities.budget, len(context.pictures) - len(pictures)))
    blank = _blank(context, structured=capabilities.structured)

    def posts(*, standalone: bool) -> tuple[list[Post], tuple[AnyText, ...]]:
        if capabilities.html:
            text, html = render_mail(context, pictures, standalone=standalone)
            used, limit = capabilities.budget.usage(text)
            if used > limit:
                raise MessageTooLong(channel.name, used, limit)
            form = _Form((text,), (), subject(context), html)
        else:
            form = _Short(context, channel).form(standalone=standalone)
        shared = {"key": key, "account": target.account, "pictures": pictures, "title": form.title, "html": form.html}
        return [blank.model_copy(update=shared | each) for each in _texts(context, form)], form.omitted

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


class _Form(NamedTuple):
    """A message in words: in one text, or in those of a thread.

    Attributes:
        distinct: The same texts with a unique suffix, if the network may refuse a repetition.
        omitted: What was left out.
    """

    texts: tuple[str, ...]
    distinct: tuple[str, ...]
    title: str
    html: str = ""
    omitted: tuple[AnyText, ...] = ()


_wording = lru_cache(maxsize=8)(Wording)  # networks with the same capabilities share the words of a message


class _Short:
    """A message on one network of short posts."""

    def __init__(self, context: RenderContext, channel: ChannelConfig) -> None:
        self._context, self._channel, capabilities = context, channel, channel.capabilities
        bracketed = capabilities.hashtags and capabilities.bracketed_hashtags and channel.hashtags == "inline"
        signed = capabilities.recipients and _is_first(context, channel)
        self._wording = _wording(context, capabilities.hashtags, bracketed, capabilities.recipients, signed)
        self._identifier = "" if capabilities.replies else context.incident_name

    def form(self, *, standalone: bool) -> _Form:
        """Return the post in one text if possible, else in a thread, else in brief."""
        context, capabilities = self._context, self._channel.capabilities
        title = subject(context, lasting=True) if capabilities.structured else context.headline
        fitted = self._fitted(self._wording.parts(self._identifier, standalone=standalone))
        again = self._distinct(lambda suffix: self._wording.parts(suffix, standalone=standalone))
        if fitted.fits and (again or not capabilities.refuses_repeats):
            return _Form((fitted.text,), again, title, omitted=fitted.omitted)
        if thread := self._thread():
            return _Form(*thread, title)
        if not fitted.fits:
            fitted = self._brief()
        if not fitted.fits:
            raise MessageTooLong(self._channel.name, fitted.used, fitted.limit)
        # A brief text is better than one that the network refuses as a repetition.
        return _Form((fitted.text,), self._distinct(self._wording.brief), title, omitted=fitted.omitted)

    def _distinct(self, parts: Callable[[str], Sequence[Part]]) -> tuple[str, ...]:
        """Return the text with a unique suffix, if the network may refuse a repetition and there is space for it."""
        if not self._channel.capabilities.refuses_repeats:
            return ()
        fitted = self._fitted(parts(self._context.unique_suffix))
        return (fitted.text,) if fitted.fits else ()

    def _thread(self) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
        """Return the texts of a thread and the same with a unique suffix, if possible.

        The reply and the standalone form share them. The suffix is left out if there is no space for it.
        """
        context, capabilities = self._context, self._channel.capabilities
        if not capabilities.replies:
            return None
        parts = self._wording.parts(self._identifier, standalone=False)
        for suffix in (f" {context.unique_suffix}", "") if capabilities.refuses_repeats else ("",):
            budget = capabilities.budget.reserve(suffix) if suffix else capabilities.budget
            if texts := split_thread(parts, budget, again=context.exercise_mark):
                return texts, tuple(f"{text}{suffix}" for text in texts) if suffix else ()
        return None

    def _brief(self) -> FitResult:
        """Return the least that may be published, with all that was left out for it."""
        fitted = self._fitted(self._wording.brief(self._identifier))
        # The link stays, as the place of the rest.
        names = [part.name for part in self._wording.parts("", standalone=True) if part.name not in {"", LINK}]
        return replace(fitted, omitted=(*(Text("{name} left out", name=name) for name in names), *fitted.omitted))

    def _fitted(self, parts: Sequence[Part]) -> FitResult:
        """Return the parts within the budget, in the alphabet of the network."""
        budget = self._channel.capabilities.budget
        if budget.transliterate is None:
            return self._fit(parts, budget)
        spell = lru_cache(maxsize=None)(budget.transliterate)  # the same texts are measured, priced and spelled
        spelled = replace(budget, measure=lambda text: budget.measure(spell(text)))

        def fitted(parts: Sequence[Part]) -> FitResult:
            result = self._fit(parts, spelled)
            return replace(result, text=spell(result.text))

        whole = fitted(parts)
        references = [part for part in parts if part.name == REFERENCE]
        if not references or budget.price is None:
            return whole
        # The reference is not worth a message of its own. First the end of the text is tried, which costs little.
        price, size = budget.price(whole.text), sum(len(part.text) + 1 for part in references)
        if budget.price(whole.text[:-size]) >= price:
            return whole
        cheaper = fitted([part for part in parts if part not in references])
        without = replace(cheaper, omitted=(*cheaper.omitted, Text("{reference} left out", reference=REFERENCE)))
        return without if budget.price(cheaper.text) < price else whole

    def _fit(self, parts: Sequence[Part], budget: Budget) -> FitResult:
        """Return the parts within the budget. Where the description gave way, the link leads to the rest."""
        result, more = fit(parts, budget), self._wording.more
        if more and any(str(note).startswith(f"{DESCRIPTION} ") for note in result.omitted):
            return fit([part._replace(text=more) if part.name == LINK else part for part in parts], budget)
        return result


def _is_first(context: RenderContext, channel: ChannelConfig) -> bool:
    """Return True if the channel's readers have nothing of the incident yet."""
    posts = context.history.posts
    seen = any(part.channel == channel.name and part.outcome not in _UNSEEN for part in posts)
    return context.is_opening or (bool(posts) and not seen)


def _texts(context: RenderContext, form: _Form) -> Iterator[dict[str, Any]]:
    """Yield the fields that depend on the text of each post."""
    for number, text in enumerate(form.texts):
        fields: dict[str, Any] = {"text": text, "spans": _spans(context, text)}
        if form.distinct:
            again = form.distinct[number]
            fields |= {"distinct": again, "distinct_spans": _spans(context, again)}
        yield fields | (_CONTINUED if number else {})


def _notes(context: RenderContext, budget: Budget, left_out: int) -> Iterator[AnyText]:
    """Yield what readers do not get, beside what does not fit."""
    if left_out:
        yield Text.counted(
            "{count} of {pictures_count} pictures left out",
            "{count} of {pictures_count} pictures left out",
            count=left_out,
            pictures_count=len(context.pictures),
        )
    if budget.find_losses:
        text = f"{context.headline} {context.typed_description} {context.typed_instruction}"
        for character in budget.find_losses(text):
            yield Text("“{character}” cannot be written there", character=character)
    if context.translation.untranslated:
        yield Text("the text, which has no translation: fixed phrases stand in")


def _spans(context: RenderContext, text: str) -> tuple[Span, ...]:
    return tuple(Span(**span._asdict()) for span in find_links(text, context.mentions))


@lru_cache(maxsize=8)  # pydantic reads it once, and not again for each network
def _blank(context: RenderContext, *, structured: bool) -> Post:
    """Return what all posts of a message share."""
    message = context.message
    return Post(
        key=_NO_KEY,
        account="",
        stage=message.stage,
        category=message.category,
        language=context.translation.language,
        text="",
        link=message.link,
        created_at=context.now,
        sender=context.signature,
        exercise=message.exercise,
        message=public_message(message, thread=context.thread, label=context.label) if structured else None,
        event=_event(context) if structured else None,
        place=context.place.full() if structured else "",
    )


def public_message(message: Message, *, thread: str, label: str) -> Message:
    """Return what of a resolved message may be public, for networks that carry more than words.

    Its place is already blurred, and its texts have no house numbers. Here the dispatch system's ids and the basis of
    the publication are left out, and all texts lose their invisible characters.

    Args:
        message: The resolved message.
        thread: What stands for the incident's id: 16 hexadecimal digits.
        label: What replaces a headline of which nothing is visible.
    """

    def cleaned(field: TextField) -> str:
        if field.kind is TextKind.PROSE:
            return clean(field.text)
        return one_line(field.text) or (label if field.is_required else "")

    lifecycle = message.lifecycle
    public = Lifecycle(
        stage=lifecycle.stage,
        incident=thread if lifecycle.incident else None,
        corrects=lifecycle.corrects if lifecycle.stage in {Stage.CORRECTION, Stage.CANCELLATION} else None,
        reopens=lifecycle.reopens,
    )
    return reworded(message, cleaned).model_copy(update={"lifecycle": public, "basis": ()})


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
    alts = context.translation.alts or tuple(picture.alt for picture in context.pictures)
    both = zip(context.pictures, alts, strict=False)
    return tuple(picture.model_copy(update={"alt": one_line(alt) or picture.alt}) for picture, alt in both)
