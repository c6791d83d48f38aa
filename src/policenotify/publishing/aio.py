"""The same publisher, awaited.

```python
async with AsyncPublisher(open_publisher()) as publisher:
    publication = await publisher.publish(message, key="dispatch-4711-open", actor="dispatch")
```

The core is synchronous; each call here runs in a thread of its own and is waited for. Cancelling stops the waiting,
not the post: what became of it is in the journal.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self, TypeVar

from policenotify.delivery.worker import Worker
from policenotify.journal.records import IncidentLine
from policenotify.model.message import Message
from policenotify.model.receipt import Publication
from policenotify.publishing.preparation import ChannelProblem
from policenotify.publishing.publisher import Preview, Publisher

_Result = TypeVar("_Result")


class AsyncPublisher:
    """The methods of [`Publisher`][policenotify.publishing.publisher.Publisher], awaited.

    They mean and raise the same.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def preview(self, message: Message, *, to: Sequence[str] | None = None) -> Preview:
        """Exactly what `publish` would send now."""
        return await _awaited(lambda: self._publisher.preview(message, to=to))

    async def publish(
        self,
        message: Message,
        *,
        key: str,
        actor: str,
        to: Sequence[str] | None = None,
        wait: timedelta | float | None = None,
    ) -> Publication:
        """Say it, and return what became of it."""
        return await _awaited(lambda: self._publisher.publish(message, key=key, actor=actor, to=to, wait=wait))

    async def incident(self, incident: str) -> Publication:
        """The last publication of an incident: builds what may follow."""
        return await _awaited(lambda: self._publisher.incident(incident))

    async def publication(self, wanted: str) -> Publication | None:
        """A publication and what became of it, by its id or by your key."""
        return await _awaited(lambda: self._publisher.publication(wanted))

    async def incidents(self, *, only_open: bool = True) -> tuple[IncidentLine, ...]:
        """The incidents, the latest first, with what is owed."""
        return await _awaited(lambda: self._publisher.incidents(only_open=only_open))

    async def channel_problems(self) -> dict[str, ChannelProblem]:
        """The channels that cannot be used now, by name, and why."""
        return await _awaited(self._publisher.channel_problems)

    async def drain(self, budget: timedelta) -> datetime | None:
        """Deliver what is due, for at most that long."""
        return await _awaited(lambda: self._publisher.drain(budget))

    async def wake(self) -> None:
        """Tell the worker and the runners that something waits."""
        await _awaited(self._publisher.wake)

    def worker(self) -> Worker:
        """Who delivers in the background of this process; its `stop` waits for what is under way, some seconds."""
        return self._publisher.worker()

    async def close(self) -> None:
        """Give what is under way some seconds to finish, and let go of the journal."""
        await _awaited(self._publisher.close)


async def _awaited(call: Callable[[], _Result]) -> _Result:
    # A daemon thread, not the loop's executor: a network that hangs must not keep the program from ending.
    future: Future[_Result] = Future()
    future.set_running_or_notify_cancel()  # from here on, cancelling stops the waiting only
    context = copy_context()

    def run() -> None:
        try:
            result = context.run(call)
        except BaseException as error:  # noqa: BLE001 - handed to whoever awaits
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name="policenotify awaited", daemon=True).start()
    return await asyncio.wrap_future(future)
