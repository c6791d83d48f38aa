"""Bluesky's threads: what a reply hangs under, and whether its readers will see it there.

A server that holds an account checks no parents, and takes a reply to a deleted post without a word. The network then
shows that reply nowhere in the thread, nor among the account's posts (`posts_and_author_threads` of
`app.bsky.feed.getAuthorFeed` leaves out what does not hang together up to a post that starts a thread).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from policenotify.channel import PostRef
from policenotify.errors import Refused
from policenotify.networks._threads import is_connected, newest_connected

Get = Callable[[str], Mapping[str, Any] | None]
"""Return the record at a URI, or `None` when there is none."""


class Thread:
    """The records above a post, each read once.

    Args:
        get: Reads one record. It raises a `ChannelError` when it could not be asked for.
    """

    def __init__(self, get: Get) -> None:
        self._get = get
        self._records: dict[str, Mapping[str, Any]] = {}

    def reply_to(self, reply_to: Sequence[PostRef]) -> dict[str, JsonValue] | None:
        """Return the `reply` of a record that answers the newest post readers still see, or `None` without answers.

        Args:
            reply_to: Our earlier posts, from the opening to the last one, each with a `cid`.

        Raises:
            Refused: None of them can be answered any more. With `fallback="standalone"`.
        """
        if not reply_to:
            return None
        newest = newest_connected(reply_to, self._parent_of)
        if newest is None:
            raise Refused(
                "The posts that it should answer have been deleted.",
                code="RecordNotFound",
                remedy="It is posted on its own instead.",
                fallback="standalone",
            )
        parent: JsonValue = {"uri": newest.id, "cid": newest.extra["cid"]}
        # The root is the one that the parent names: with another one the post is missing from the thread.
        return {"root": _reply(self._records[newest.id]).get("root", parent), "parent": parent}

    def check(self, record: JsonValue) -> None:
        """See that readers will see a record that was prepared earlier.

        Raises:
            Refused: What it answers has been deleted meanwhile. With `fallback="prepare"`.
        """
        parent = _parent(_reply(record))
        if parent is not None and not is_connected(parent, self._parent_of):
            raise Refused(
                "The post that it should answer, or one above that, has been deleted.",
                code="RecordNotFound",
                remedy="It is prepared again without that post.",
                fallback="prepare",
            )

    def _parent_of(self, uri: str) -> str | None:
        record = self._get(uri)
        if record is None:
            raise LookupError(uri)
        self._records[uri] = record
        return _parent(_reply(record))


def _reply(record: object) -> Mapping[str, Any]:
    reply = record.get("reply") if isinstance(record, Mapping) else None
    return reply if isinstance(reply, Mapping) and _parent(reply) is not None else {}


def _parent(reply: Mapping[str, Any]) -> str | None:
    parent = reply.get("parent")
    uri = parent.get("uri") if isinstance(parent, Mapping) else None
    return uri if isinstance(uri, str) else None
