"""Deliver with the workers of a Procrastinate app in the journal's database.

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
from policenotify.integrations.host import INTERVAL, ProcessPublisher
from policenotify.publishing.publisher import Publisher
from policenotify.settings import open_publisher
from policenotify.translation import Text

if TYPE_CHECKING:
    from sqlalchemy import Connection

DRAIN = "policenotify.drain"
PERIODIC_DRAIN = "policenotify.periodic_drain"


class ProcrastinateRunner(ProcessPublisher):
    """Adds the tasks `policenotify.drain` and `policenotify.periodic_drain` to the host's app.

    The drain job is part of the transaction that publishes. All workers of the app deliver. The periodic drain delivers
    what a killed worker lost, and retries.

    Args:
        app: The host's app. Make the runner in the module that defines its other tasks.
        open_publisher: Opens the installation's publisher, once in each process.
        every: The interval of the periodic drain, in whole seconds that divide a minute.
        queue: The queue of both tasks.

    Raises:
        ValueError: A minute is not a multiple of *every*.
    """

    def __init__(
        self,
        app: App,
        open_publisher: Callable[[], Publisher] = open_publisher,
        *,
        every: timedelta = INTERVAL,
        queue: str = "default",
    ) -> None:
        super().__init__(open_publisher, self)
        seconds = int(every.total_seconds())
        if not seconds or timedelta(minutes=1) % timedelta(seconds=seconds) or every % timedelta(seconds=1):
            raise ValueError("every: must be whole seconds that divide a minute, such as 30")
        self._queue = queue
        # It only uses the connection of the publishing transaction, so it needs no pool and works in the worker too.
        self._enqueuing = App(connector=SyncPsycopgConnector())

        @app.task(name=DRAIN, queue=queue)
        def drain() -> None:
            self.drain(every)

        @app.periodic(cron=f"* * * * * */{seconds}")  # the sixth field is seconds
        @app.task(name=PERIODIC_DRAIN, queue=queue, queueing_lock=PERIODIC_DRAIN)
        def drain_periodically(timestamp: int) -> None:  # noqa: ARG001 - the scheduled time
            self.drain(every)

    def enqueue(self, connection: Connection) -> None:
        """Add a drain job in the transaction that publishes."""
        if connection.dialect.name != "postgresql":
            raise SettingsError(
                Text(
                    "Procrastinate needs a journal in its own database, on PostgreSQL. No drain was enqueued: "
                    "the publication waits for the periodic drain. Set journal to that database."
                )
            )
        raw = connection.connection.dbapi_connection
        self._enqueuing.configure_task(DRAIN, queue=self._queue, connection=raw).defer()

    def on_commit(self) -> None:
        """Do nothing: the database has notified the workers."""
