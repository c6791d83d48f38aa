"""Delivered by the workers of a Procrastinate app, whose tables are in the same database as the journal.

```python
runner = ProcrastinateRunner(app)
runner.publisher.publish(message, key=…, actor=…, wait=timedelta(0))
```
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from procrastinate import App, SyncPsycopgConnector

from policenotify.errors import SettingsError
from policenotify.integrations.host import EVERY, ProcessPublisher
from policenotify.publishing.publisher import Publisher
from policenotify.settings import open_publisher

if TYPE_CHECKING:
    from sqlalchemy import Connection

DRAIN = "policenotify.drain"
SWEEP = "policenotify.sweep"


class ProcrastinateRunner(ProcessPublisher):
    """Puts the tasks `policenotify.drain` and `policenotify.sweep` into the host's app.

    What is published is known to the app exactly when it is committed. All its workers deliver; the sweep finds what
    was lost with a killed one, and what is due again later.

    Args:
        app: The host's app; make the runner where its other tasks are.
        open_publisher: Opens the installation's publisher, once in each process.
        every: How often it looks for itself: seconds that divide a minute.
        queue: The queue of both tasks.

    Raises:
        ValueError: A minute is no multiple of *every*.
    """

    def __init__(
        self,
        app: App,
        open_publisher: Callable[[], Publisher] = open_publisher,
        *,
        every: timedelta = EVERY,
        queue: str = "default",
    ) -> None:
        super().__init__(open_publisher, self)
        seconds = int(every.total_seconds())
        if not seconds or timedelta(minutes=1) % timedelta(seconds=seconds) or every % timedelta(seconds=1):
            raise ValueError("every: must be whole seconds that divide a minute, such as 30")
        self._queue = queue
        # Nothing but the transaction's own connection is ever used: it needs no pool, and works in the worker, too.
        self._kicks = App(connector=SyncPsycopgConnector())

        @app.task(name=DRAIN, queue=queue)
        def drain() -> None:
            self.drain(every)

        @app.periodic(cron=f"* * * * * */{seconds}")  # the sixth field is seconds
        @app.task(name=SWEEP, queue=queue, queueing_lock=SWEEP)
        def sweep(timestamp: int) -> None:  # noqa: ARG001 - for when it was meant
            self.drain(every)

    def enqueue(self, connection: Connection) -> None:
        """A job, in the transaction that publishes."""
        if connection.dialect.name != "postgresql":
            raise SettingsError("Procrastinate can only be told of a journal in its own database, on PostgreSQL.")
        raw = connection.connection.dbapi_connection
        self._kicks.configure_task(DRAIN, queue=self._queue, connection=raw).defer()

    def on_commit(self) -> None:
        """Nothing more: the database has told the workers."""
