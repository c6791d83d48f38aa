"""Word the posts of a publication, and number them."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta

from policenotify.channel import UNKNOWN, ChannelConfig, Operation
from policenotify.errors import MessageTooLong, PolicenotifyError, SettingsError
from policenotify.journal.records import NewPublication
from policenotify.log import fields
from policenotify.model import places
from policenotify.model.history import History, RenderedPost, Target
from policenotify.publishing.installation import Installation
from policenotify.render.context import RenderContext
from policenotify.render.locales import best_match, profile_of
from policenotify.render.renderer import render
from policenotify.translation import Text

_log = logging.getLogger("policenotify")


def word(
    installation: Installation,
    targets: Sequence[Target],
    channels: Mapping[str, ChannelConfig],
    publication: NewPublication,
    history: History,
) -> tuple[tuple[RenderedPost, ...], tuple[Target, ...]]:
    """Word the targets. A channel on which the text does not fit, or that fails, does not affect the others.

    Returns:
        The posts, and the targets without one: skipped, deletions, and those that cannot be worded, with the reason and
        numbered after the posts of their channel.

    Raises:
        MessageTooLong: The text fits none of the channels, and nothing else is to be done.
        SettingsError: In the same case, a language has no fixed phrases or a network fails.
    """
    without_post = tuple(target for target in targets if target.skip or target.operation is Operation.DELETE)
    to_render = [target for target in targets if target not in without_post]
    contexts: dict[str, RenderContext] = {}
    fitting: list[RenderedPost] = []
    failures: dict[Target, PolicenotifyError] = {}
    for target in to_render:
        channel, key, language = channels[target.channel], target.post_key(publication.id), target.language
        if not target.account:
            text = Text(
                "Nothing was sent here: {name!r} is blocked, and was never used. {blocked} Then publish it there: "
                "policenotify publish --to {name} …",
                name=channel.name,
                blocked=channel.blocked,
            )
            failures[target] = SettingsError(text)
            continue
        try:
            if language not in contexts:
                contexts[language] = _render_context(installation, language, publication, history)
            fitting.append(render(contexts[language], target, channel=channel, key=key))
        except PolicenotifyError as error:
            failures[target] = error
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a network of another package may fail in any way
            name = type(error).__name__
            about = fields(channel=channel.name)
            _log.error(
                "Channel %s: its network fails to measure or spell a text (%s).", channel.name, name, extra=about
            )
            failures[target] = SettingsError(
                Text(
                    "Nothing was sent: the network {network!r} of {name!r} fails on this text "
                    "({name_2}). Report it to the author of its package, and reach these readers in "
                    "another way.",
                    network=channel.network,
                    name=channel.name,
                    name_2=name,
                )
            )
    deletes = any(target.operation is Operation.DELETE for target in without_post)
    if failures and not (fitting or deletes):
        raise next(iter(failures.values()))
    posts = number_posts(fitting, publication.id, publication.at)
    return posts, (*without_post, *_refused_targets(failures, posts))


def _render_context(
    installation: Installation, language: str, publication: NewPublication, history: History
) -> RenderContext:
    message, locale = publication.message, best_match(language, installation.locales)
    if locale is None:
        raise SettingsError(
            Text(
                "Nothing was sent: there are no fixed phrases for the language {language!r}. Known: {locales}.",
                language=language,
                locales=", ".join(sorted(installation.locales)),
            )
        )
    name = message.location.commune_name if message.location else None
    return RenderContext(
        message=message,
        language=language,
        locale=locale,
        profile=profile_of(message.category, installation.profiles),
        now=publication.at,
        zone=installation.zone,
        sender=installation.sender,
        history=history,
        pictures=publication.pictures,
        reference=installation.journal.keys.reference(message.incident) if message.incident else "",
        thread=installation.journal.keys.tag("thread", message.incident)[:16] if message.incident else "",
        is_shared=places.is_shared(name or ""),
    )


def discover_capabilities(installation: Installation, channel: ChannelConfig) -> ChannelConfig:
    """Return the channel with the capabilities that its server is known to have.

    A blocked channel of which the settings do not give the account has that of its last delivery.
    """
    if channel.blocked:
        known = channel.account or channel.capabilities.budget is UNKNOWN
        account = channel.account if known else installation.journal.channels.last_account(channel.name)
        return channel.model_copy(update={"account": account})
    if not channel.discovers_capabilities:
        return channel
    try:
        keep = installation.journal.channels.state_store(channel.name)
        with closing(channel.open(installation.timer, keep)) as opened:
            return channel.model_copy(update={"capabilities": opened.capabilities})
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a network of another package may fail in any way
        name, about = type(error).__name__, fields(channel=channel.name)
        _log.warning("Channel %s: its default capabilities are used (%s).", channel.name, name, extra=about)
        return channel


def _refused_targets(failures: Mapping[Target, PolicenotifyError], posts: Sequence[RenderedPost]) -> Iterator[Target]:
    parts = Counter(post.target.channel for post in posts for _ in (post.standalone, *post.continuations))
    for target, error in failures.items():
        reason = error.text
        if isinstance(error, MessageTooLong):
            reason = Text(
                "Nothing was sent here: what, where and the first thing to do take {used} of {limit}. "
                "Shorten the headline, the street or the first sentence of the instruction, and publish "
                "that on this channel.",
                used=error.used,
                limit=error.limit,
            )
        yield replace(target, part=parts[target.channel], refused=reason)
        parts[target.channel] += 1


def number_posts(rendered: Sequence[RenderedPost], publication: str, at: datetime) -> tuple[RenderedPost, ...]:
    """Return the posts with their part, key and time.

    A continuation moves the later parts of its channel up. An edit cannot add posts. One whose text needs
    continuations becomes a post, unless that language has one already.
    """
    posts = [each for each in rendered if each.target.operation is Operation.POST]
    posted = {(each.target.channel, each.target.language) for each in posts}
    for each in rendered:
        target = each.target
        if target.operation is Operation.EDIT and not each.continuations:
            posts.append(each)
        elif target.operation is Operation.EDIT and (target.channel, target.language) not in posted:
            posts.append(replace(each, target=replace(target, operation=Operation.POST, target="")))
    parts: Counter[str] = Counter()
    numbered = []
    for each in posts:
        part = parts[each.target.channel]
        target = replace(each.target, part=part)
        standalone, *continuations = (
            post.model_copy(
                update={
                    "key": replace(target, part=part + number).post_key(publication),
                    # Each post of a publication has a time of its own, so that timelines keep their order.
                    "created_at": at + timedelta(milliseconds=part + number),
                }
            )
            for number, post in enumerate((each.standalone, *each.continuations))
        )
        parts[target.channel] += 1 + len(continuations)
        same = {"key": standalone.key, "created_at": standalone.created_at}
        reply = each.reply and each.reply.model_copy(update=same)
        numbered.append(
            replace(each, target=target, standalone=standalone, reply=reply, continuations=tuple(continuations))
        )
    return tuple(numbered)
