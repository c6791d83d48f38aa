"""Posts, pictures and calls that the tests of several networks share."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Protocol
from unittest.mock import Mock

import pytest

from policenotify.channel import Picture, Post, PostRef, Recipient, RecipientOutcome, Request, SupportsPeople
from policenotify.delivery.batch import Breaker, Chunk
from policenotify.errors import ChannelError
from policenotify.model.lifecycle import Stage

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
JPEG = b"\xff\xd8\xff\xe0" + b"road\r\n--" * 100


class Sender(Protocol):
    """A channel that sends one post at a time."""

    def prepare(self, post: Post, replies_to: tuple[PostRef, ...], /) -> Request: ...

    def send(self, request: Request, /) -> PostRef: ...


def a_post(text: str = "Route barrée à Évian.", **other: Any) -> Post:
    """Return an opening. Its key follows from the text and the names of the other fields."""
    fields: dict[str, Any] = {
        "key": hashlib.sha256(f"{text}{sorted(other)}".encode()).hexdigest(),
        "account": "police34",
        "stage": Stage.OPENING,
        "category": "traffic",
        "language": "fr",
        "text": text,
        "created_at": NOW,
    }
    return Post(**fields | other)


def a_picture(data: bytes = JPEG, alt: str = "La route sous l’eau", **other: Any) -> Picture:
    fields = {"digest": hashlib.sha256(data).hexdigest(), "media_type": "image/jpeg", "width": 1200, "height": 800}
    return Picture.model_validate(fields | {"alt": alt, "data": data} | other)


def send_post(channel: Sender, post: Post, *replies_to: PostRef) -> PostRef:
    return channel.send(channel.prepare(post, replies_to))


def error_of(call: Callable[[], object]) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        call()
    return caught.value


def send_list(request: Request, people: Iterable[Recipient], *channels: SupportsPeople) -> Chunk:
    """Send to people as one chunk, through these channel objects at once."""
    claimed = Mock(channel="it", public_id=1)
    chunk = Chunk(request=request, claimed=claimed, breaker=Breaker("it"), left=deque(people))
    chunk.run(channels)
    return chunk


def outcomes_of(channel: SupportsPeople, request: Request, people: Iterable[Recipient]) -> list[RecipientOutcome]:
    """Return the outcomes of people, in the order in which they are known. There must be no failure."""
    chunk = send_list(request, people, channel)
    if chunk.failure is not None:
        raise chunk.failure
    assert not chunk.left
    return list(chunk.outcomes.values())


def until_error(
    channel: SupportsPeople, request: Request, people: Iterable[Recipient]
) -> tuple[dict[str, str], ChannelError]:
    """Return the outcomes by person of those who do not wait, and the error that ended the list."""
    chunk = send_list(request, people, channel)
    assert chunk.failure is not None, f"no error, but {chunk.outcomes}"
    settled = [each for each in chunk.outcomes.values() if each.outcome != "unavailable"]
    return {each.key.removeprefix("key-of-"): each.outcome for each in settled}, chunk.failure
