"""Posts, pictures and calls that the tests of several networks share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest

from policenotify.channel import Picture, Post, PostRef, Recipient, RecipientOutcome, Request
from policenotify.errors import ChannelError
from policenotify.model.lifecycle import Stage

NOW = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
JPEG = b"\xff\xd8\xff\xe0" + b"road\r\n--" * 100


class Sender(Protocol):
    """A channel that sends one post at a time."""

    def prepare(self, post: Post, replies_to: tuple[PostRef, ...], /) -> Request: ...

    def send(self, request: Request, /) -> PostRef: ...


class BulkSender(Protocol):
    """A channel that sends to a list of people."""

    def send_each(self, request: Request, recipients: Iterable[Recipient], /) -> Iterable[RecipientOutcome]: ...


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


def until_error(
    channel: BulkSender, request: Request, people: Iterable[Recipient]
) -> tuple[dict[str, str], ChannelError]:
    """Return the outcomes by person before the error that ended the list, and the error."""
    outcomes: dict[str, str] = {}
    try:
        for recipient in channel.send_each(request, people):
            outcomes[recipient.key.removeprefix("key-of-")] = recipient.outcome
    except ChannelError as error:
        return outcomes, error
    raise AssertionError(f"no error, but {outcomes}")
