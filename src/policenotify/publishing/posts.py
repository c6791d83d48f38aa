"""Word the posts of a publication: how each leg reads, its place among the posts of its channel, and its key."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from policenotify.channel import ChannelConfig, Operation
from policenotify.errors import MessageTooLong
from policenotify.model.history import RenderedPost, Target
from policenotify.render import RenderContext, render


def worded(
    legs: Sequence[Target],
    channels: Mapping[str, ChannelConfig],
    scene: Callable[[str], RenderContext],
    publication: str,
    at: datetime,
    *,
    elsewhere: bool = False,
) -> tuple[tuple[RenderedPost, ...], tuple[Target, ...]]:
    """Word the legs; one on which the text does not fit silences no other.

    Args:
        legs: Which.
        channels: The channels of the legs, by name.
        scene: Returns all that decides how it reads in a language.
        publication: Id of the publication.
        at: When it is published.
        elsewhere: It also waits for a channel that cannot be used now, and may fit there.

    Returns:
        The wordings, and the legs without one: skipped, deletions, and those that are refused, with the reason,
        numbered behind the posts of their channel.

    Raises:
        MessageTooLong: It fits on none of the channels, and nothing else is to be done.
    """
    wordless = tuple(leg for leg in legs if leg.skip or leg.operation is Operation.DELETE)
    posts = [leg for leg in legs if leg not in wordless]
    scenes = {language: scene(language) for language in {leg.language for leg in posts}}
    fitting: list[RenderedPost] = []
    unfit: dict[Target, MessageTooLong] = {}
    for leg in posts:
        key = post_key(publication, leg)
        try:
            fitting.append(render(scenes[leg.language], leg, channel=channels[leg.channel], key=key))
        except MessageTooLong as error:
            unfit[leg] = error
    deletes = any(leg.operation is Operation.DELETE for leg in wordless)
    if unfit and not (fitting or deletes or elsewhere):
        raise next(iter(unfit.values()))
    wordings = numbered(fitting, publication, at)
    return wordings, (*wordless, *_refused(unfit, wordings))


def _refused(unfit: Mapping[Target, MessageTooLong], wordings: Sequence[RenderedPost]) -> tuple[Target, ...]:
    taken = Counter(
        wording.target.channel for wording in wordings for _ in (wording.standalone, *wording.continuations)
    )
    refused = []
    for leg, cannot in unfit.items():
        reason = (
            f"Nothing was sent here: what, where and the first thing to do take {cannot.used} of {cannot.limit}. "
            "Shorten the headline, the street or the first sentence of the instruction, and publish that on this "
            "channel."
        )
        refused.append(replace(leg, part=taken[leg.channel], refused=reason))
        taken[leg.channel] += 1
    return tuple(refused)


def numbered(wordings: Sequence[RenderedPost], publication: str, at: datetime) -> tuple[RenderedPost, ...]:
    """The wordings, with the place of each post among those of its channel: where one goes on, the next ones move up.

    An edit that would go on in further posts is none: it is said below.
    """
    posts = [wording for wording in wordings if wording.target.operation is Operation.POST]
    said = {(wording.target.channel, wording.target.language) for wording in posts}
    for wording in wordings:
        leg = wording.target
        if leg.operation is Operation.EDIT and not wording.continuations:
            posts.append(wording)
        elif leg.operation is Operation.EDIT and (leg.channel, leg.language) not in said:
            posts.append(replace(wording, target=replace(leg, operation=Operation.POST, target="")))
    taken: dict[str, int] = {}
    numbered = []
    for wording in posts:
        part = taken.get(wording.target.channel, 0)
        taken[wording.target.channel] = part + 1 + len(wording.continuations)
        leg = replace(wording.target, part=part)
        standalone, *further = (
            post.model_copy(
                update={
                    "key": post_key(publication, replace(leg, part=part + number)),
                    # Each post of a publication has a time of its own, so that timelines keep their order.
                    "created_at": at + timedelta(milliseconds=part + number),
                }
            )
            for number, post in enumerate((wording.standalone, *wording.continuations))
        )
        same = {"key": standalone.key, "created_at": standalone.created_at}
        reply = wording.reply and wording.reply.model_copy(update=same)
        numbered.append(replace(wording, target=leg, standalone=standalone, reply=reply, continuations=tuple(further)))
    return tuple(numbered)


def post_key(publication: str, leg: Target) -> str:
    """The key of a post: the same for the same words to the same account.

    The channel is named too, since two networks may call our account alike, and so may a channel that is gone.
    """
    named = "\n".join((publication, leg.channel, leg.account, leg.language, str(leg.part), leg.operation))
    return hashlib.sha256(named.encode()).hexdigest()
