"""The publisher with awaitable methods.

```python
async with AsyncPublisher(open_publisher()) as publisher:
    publication = await publisher.publish(message, key="dispatch-4711-open", actor="dispatch")
```

The core is synchronous, so each call runs in a thread of the event loop's executor. Cancelling a call stops the
waiting, not the post. The journal has the result. A program that ends waits for calls under way.

A call with your own transaction is the exception: an async connection belongs to its event loop. It runs in the loop's
thread, and awaits the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from policenotify.delivery.event_reader import EventReader
from policenotify.delivery.worker import Worker
from policenotify.model.message import Message
from policenotify.model.receipt import Publication
from policenotify.publishing.publisher import Publisher
from policenotify.publishing.reach import Preview

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession


_Result = TypeVar("_Result")


class AsyncPublisher:
    """Awaits the methods of a [`Publisher`][policenotify.publishing.publisher.Publisher].

    They return and raise the same.

    Attributes:
        events: See `Publisher.events`. A callback runs in a thread of its own, not in the event loop.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self.events: EventReader = publisher.events

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        await self.close()

    async def preview(
        self, message: Message, *, to: Sequence[str] | None = None, count_people: bool = False
    ) -> Preview:
        """See `Publisher.preview`."""
        return await _in_thread(lambda: self._publisher.preview(message, to=to, count_people=count_people))

    async def publish(
        self,
        message: Message,
        *,
        key: str,
        actor: str,
        to: Sequence[str] | None = None,
        wait: timedelta | float | None = None,
        connection: AsyncConnection | AsyncSession | None = None,
        draft: str | None = None,
        urgent: str = "",
    ) -> Publication:
        """See `Publisher.publish`.

        Your own transaction is an `AsyncConnection` or `AsyncSession` of SQLAlchemy on the journal's database. After
        your commit, await `call(Publisher.wake)`. Meanwhile the event loop goes on only while the database is awaited:
        the message is checked and worded in the loop's thread.

        Raises:
            TypeError: *connection* is neither of the two. Nothing was sent.
        """
        publish = partial(
            self._publisher.publish, message, key=key, actor=actor, to=to, wait=wait, draft=draft, urgent=urgent
        )
        if connection is None:
            return await _in_thread(publish)
        return await (await _opened(connection)).run_sync(lambda plain: publish(connection=plain))

    async def call(self, step: Callable[[Publisher], _Result]) -> _Result:
        """Do anything else: `await publisher.call(lambda desk: desk.operations.incident("2026-4711"))`.

        So every method of `Publisher` can be awaited (`await publisher.call(Publisher.wake)`), and every method of its
        `operations`, `drafts`, `people` and `monitor`.
        """
        return await _in_thread(lambda: step(self._publisher))

    def worker(self) -> Worker:
        """See `Publisher.worker`. The worker's `stop` may block for some seconds."""
        return self._publisher.worker()

    async def close(self) -> None:
        """See `Publisher.close`."""
        await _in_thread(self._publisher.close)


async def _opened(connection: AsyncConnection | AsyncSession) -> AsyncConnection:
    """Return the connection of a transaction of the caller's own."""
    if hasattr(connection, "sync_session"):
        connection = await connection.connection()
    if not hasattr(connection, "sync_connection"):
        raise TypeError(
            f"connection: this {type(connection).__name__} cannot be awaited. Nothing was sent. Pass an "
            "AsyncConnection or AsyncSession of SQLAlchemy, or call Publisher.publish in the thread of your connection."
        )
    return connection


async def _in_thread(function: Callable[[], _Result]) -> _Result:
    return await asyncio.shield(asyncio.to_thread(function))  # cancelled before a thread is free, it is done still
