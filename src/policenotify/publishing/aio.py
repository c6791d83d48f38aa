"""The publisher with awaitable methods.

```python
async with AsyncPublisher(open_publisher()) as publisher:
    publication = await publisher.publish(message, key="dispatch-4711-open", actor="dispatch")
```

The core is synchronous, so each call runs in a thread of its own. Cancelling a call stops the waiting, not the post.
The journal has the result.

A call with your own transaction is the exception: an async connection belongs to its event loop. It runs in the loop's
thread, and awaits the database.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from policenotify.delivery.event_reader import EventReader
from policenotify.delivery.worker import Worker
from policenotify.model.decision import HeldDelivery, HeldPeople, Resolved, Resumed, Steered, Stopped
from policenotify.model.diagnosis import Diagnosis
from policenotify.model.message import Message
from policenotify.model.progress import Progress
from policenotify.model.receipt import Publication
from policenotify.model.status import ChannelStatus, IncidentLine, InstallationStatus, Problem
from policenotify.publishing.drafts import Drafts
from policenotify.publishing.publisher import Publisher
from policenotify.publishing.reach import Preview

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession


_Result = TypeVar("_Result")


class AsyncPublisher:
    """Awaits the methods of a [`Publisher`][policenotify.publishing.publisher.Publisher].

    They return and raise the same.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def events(self) -> EventReader:
        """See `Publisher.events`. A callback runs in a thread of its own, not in the event loop."""
        return self._publisher.events

    async def read(self, source: str | bytes | Mapping[str, Any]) -> Message:
        """See `Publisher.read`."""
        return await _call(lambda: self._publisher.read(source))

    async def preview(self, message: Message, *, to: Sequence[str] | None = None) -> Preview:
        """See `Publisher.preview`."""
        return await _call(lambda: self._publisher.preview(message, to=to))

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
        your commit, await `wake`. Meanwhile the event loop goes on only while the database is awaited: the message is
        checked and worded in the loop's thread.

        Raises:
            TypeError: *connection* is neither of the two. Nothing was sent.
        """

        def publish(plain: Connection | None = None) -> Publication:
            return self._publisher.publish(
                message,
                key=key,
                actor=actor,
                to=to,
                wait=wait,
                connection=plain,
                draft=draft,
                urgent=urgent,
            )

        if connection is None:
            return await _call(publish)
        return await (await _opened(connection)).run_sync(publish)

    async def withdraw(
        self, publication: str, *, actor: str, reason: str, wait: timedelta | float | None = None
    ) -> Publication:
        """See `Publisher.withdraw`."""
        return await _call(lambda: self._publisher.withdraw(publication, actor=actor, reason=reason, wait=wait))

    async def with_drafts(self, step: Callable[[Drafts], _Result]) -> _Result:
        """Take a step of approval: `await publisher.with_drafts(lambda drafts: drafts.submit(name, actor="claire"))`.

        See [`Drafts`][policenotify.publishing.drafts.Drafts].
        """
        return await _call(lambda: step(self._publisher.drafts))

    async def progress(self, publication: str) -> Progress:
        """See `Publisher.progress`."""
        return await _call(lambda: self._publisher.progress(publication))

    async def watch(self, publication: str, *, every: timedelta | float = 1.0) -> AsyncIterator[Progress]:
        """See `Publisher.watch`: `async for progress in publisher.watch(publication): ...`."""
        samples = await _call(lambda: self._publisher.watch(publication, every=every))
        while (progress := await _call(lambda: next(samples, None))) is not None:
            yield progress

    async def pause_sending(
        self, publication: str, *, actor: str, channel: str | None = None, reason: str = ""
    ) -> Steered:
        """See `Publisher.pause_sending`."""
        return await _call(
            lambda: self._publisher.pause_sending(publication, actor=actor, channel=channel, reason=reason)
        )

    async def resume_sending(self, publication: str, *, actor: str, channel: str | None = None) -> Steered:
        """See `Publisher.resume_sending`."""
        return await _call(lambda: self._publisher.resume_sending(publication, actor=actor, channel=channel))

    async def abort_sending(
        self, publication: str, *, actor: str, channel: str | None = None, reason: str = ""
    ) -> Steered:
        """See `Publisher.abort_sending`."""
        return await _call(
            lambda: self._publisher.abort_sending(publication, actor=actor, channel=channel, reason=reason)
        )

    async def status(self, *, last: int = 5, limit: int | None = 20) -> InstallationStatus:
        """See `Publisher.status`."""
        return await _call(lambda: self._publisher.status(last=last, limit=limit))

    async def channels(self) -> tuple[ChannelStatus, ...]:
        """See `Publisher.channels`."""
        return await _call(self._publisher.channels)

    async def doctor(self, *, actor: str) -> Diagnosis:
        """See `Publisher.doctor`."""
        return await _call(lambda: self._publisher.doctor(actor=actor))

    async def stop(self, *, actor: str, reason: str = "") -> Stopped:
        """See `Publisher.stop`."""
        return await _call(lambda: self._publisher.stop(actor=actor, reason=reason))

    async def resume(self, channel: str | None = None, *, actor: str, reason: str = "") -> Resumed:
        """See `Publisher.resume`."""
        return await _call(lambda: self._publisher.resume(channel, actor=actor, reason=reason))

    async def held(self) -> tuple[HeldDelivery, ...]:
        """See `Publisher.held`."""
        return await _call(self._publisher.held)

    async def held_people(self, delivery: int) -> HeldPeople:
        """See `Publisher.held_people`."""
        return await _call(lambda: self._publisher.held_people(delivery))

    async def resolve(self, delivery: int, *, actor: str, posted: bool, people: Collection[str] = ()) -> Resolved:
        """See `Publisher.resolve`."""
        return await _call(lambda: self._publisher.resolve(delivery, actor=actor, posted=posted, people=people))

    async def publications(self, which: str | None = None, *, last: int = 5) -> tuple[Publication, ...]:
        """See `Publisher.publications`."""
        return await _call(lambda: self._publisher.publications(which, last=last))

    async def incident(self, incident: str) -> Publication:
        """See `Publisher.incident`."""
        return await _call(lambda: self._publisher.incident(incident))

    async def publication(self, name: str) -> Publication | None:
        """See `Publisher.publication`."""
        return await _call(lambda: self._publisher.publication(name))

    async def incidents(self, *, only_open: bool = True) -> tuple[IncidentLine, ...]:
        """See `Publisher.incidents`."""
        return await _call(lambda: self._publisher.incidents(only_open=only_open))

    async def channel_problems(self) -> dict[str, Problem]:
        """See `Publisher.channel_problems`."""
        return await _call(self._publisher.channel_problems)

    async def drain(self, budget: timedelta) -> datetime | None:
        """See `Publisher.drain`."""
        return await _call(lambda: self._publisher.drain(budget))

    async def wake(self) -> None:
        """See `Publisher.wake`."""
        await _call(self._publisher.wake)

    def interrupt(self) -> bool:
        """See `Publisher.interrupt`."""
        return self._publisher.interrupt()

    def worker(self) -> Worker:
        """See `Publisher.worker`. The worker's `stop` may block for some seconds."""
        return self._publisher.worker()

    async def close(self) -> None:
        """See `Publisher.close`."""
        await _call(self._publisher.close)


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


async def _call(function: Callable[[], _Result]) -> _Result:
    # A daemon thread, not the loop's executor: a network that hangs must not keep the program from ending.
    future: Future[_Result] = Future()
    future.set_running_or_notify_cancel()  # from here on, cancelling stops the waiting only
    context = copy_context()

    def run() -> None:
        try:
            result = context.run(function)
        except BaseException as error:  # noqa: BLE001 - raised again where the call is awaited
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name="policenotify async call", daemon=True).start()
    return await asyncio.wrap_future(future)
