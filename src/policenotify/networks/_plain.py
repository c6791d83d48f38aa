"""Posts as plain text, within the limits of another network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from policenotify.channel import Capabilities, Post, PostRef
from policenotify.errors import SettingsError
from policenotify.networks.options import default_capabilities
from policenotify.networks.registry import network

_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")  # they could steer a terminal (ECMA-48)


def limits_of(like: str, own: Capabilities) -> Capabilities:
    """Return *own* with the wording of another network.

    That is its limit, alphabet, subject line, formatted version, replies and hashtags. What is sent to people also
    names its sender.

    Args:
        like: The network's name. Empty: *own* as it is.
        own: What the channel itself can do.

    Raises:
        SettingsError: There is no such network, or its limits depend on an account.
    """
    if not like:
        return own
    try:
        other = default_capabilities(network(like).load())
    except SettingsError as error:
        raise SettingsError(f"like: {error}") from None
    if other is None:
        raise SettingsError(f"like: the limits of {like!r} depend on an account. Name another network.")
    return replace(
        own,
        budget=other.budget,
        severe_budget=other.severe_budget,
        title=other.title,
        html=other.html,
        replies=own.replies and other.replies,
        hashtags=other.hashtags,
        bracketed_hashtags=other.bracketed_hashtags,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainPost:
    """What a reader sees of a post, and where it stands.

    Attributes:
        id: The id that the channel gave it.
        parent: The id of the post that it replies to, or empty.
    """

    account: str
    id: str
    parent: str
    stage: str
    language: str
    title: str
    text: str
    pictures: tuple[str, ...]

    @classmethod
    def of(cls, post: Post, reply_to: tuple[PostRef, ...], can: Capabilities, *, account: str, id_: str) -> PlainPost:
        """Return what readers see of *post* on a channel with these capabilities."""
        ours = [ref.id for ref in reply_to if ref.account == account]
        return cls(
            account=account,
            id=id_,
            parent=ours[-1] if ours else "",
            stage=str(post.stage),
            language=post.language,
            title=post.title if can.title else "",
            text=can.budget.displayed(post.text) if can.budget.displayed else post.text,
            pictures=tuple(picture.alt for picture in post.pictures),
        )

    def __str__(self) -> str:
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield f"┌─ {self.account} · {self.stage} · {self.language} · {self.id}"
        if self.parent:
            yield f"│ ↳ {self.parent}"
        if self.title:
            yield from (f"│ {_shown(self.title)}", "│")
        for line in self.text.split("\n"):
            yield f"│ {_shown(line)}".rstrip()
        for alt in self.pictures:
            yield f"│ [{_shown(' '.join(alt.split()))}]"
        yield "└─"


def _shown(text: str) -> str:
    return _CONTROL.sub("", text)
