"""Deliver with the workers of a Celery app.

```python
runner = CeleryRunner(app)
runner.publisher.publish(message, key=…, actor=…, wait=timedelta(0))
```
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from celery import Celery, signals

from policenotify.integrations.host import INTERVAL, ProcessPublisher
from policenotify.publishing.publisher import Publisher
from policenotify.settings import open_publisher

if TYPE_CHECKING:
    from sqlalchemy import Connection

DRAIN = "policenotify.drain"
PERIODIC_DRAIN = "policenotify.periodic_drain"
_EXPIRES = 30  # seconds; a drain that has not begun by then is superfluous, for the periodic one comes

_log = logging.getLogger("policenotify")


class CeleryRunner(ProcessPublisher):
    """Adds a drain task to the host's app, and a periodic drain to `beat_schedule`.

    Beat must run. The periodic drain delivers what a killed worker or a broker lost, and retries. The broker may lose
    or repeat any task.

    Args:
        app: The host's app. Make the runner in the module that defines its other tasks.
        open_publisher: Opens the installation's publisher, once in each process.
        every: The interval of the periodic drain.
        queue: The task's queue. By default the app's.
    """

    def __init__(
        self,
        app: Celery,
        open_publisher: Callable[[], Publisher] = open_publisher,
        *,
        every: timedelta = INTERVAL,
        queue: str | None = None,
    ) -> None:
        super().__init__(open_publisher, self)
        self._app = app
        self._queue = {"queue": queue} if queue else {}
        # A task that waited in the queue for longer is superfluous: the next one is there.
        options = {"expires": every.total_seconds(), **self._queue}
        self._schedule = {"task": DRAIN, "schedule": every, "options": options}
        app.add_periodic_task(every, app.signature(DRAIN), name=PERIODIC_DRAIN, **options)

        @app.task(name=DRAIN, ignore_result=True, shared=False)  # type: ignore[untyped-decorator]  # Celery has no types
        def drain() -> None:
            self.drain(every)

        self._drain = drain
        # Celery takes one method of two objects for one receiver, hence the uid.
        registration = {"weak": False, "dispatch_uid": id(self)}
        for signal in (signals.beat_init, signals.beat_embedded_init):
            signal.connect(self._restore_schedule, **registration)
        for signal in (signals.worker_process_shutdown, signals.worker_shutdown):
            signal.connect(lambda **_: self.close(), **registration)

    def enqueue(self, connection: Connection) -> None:
        """Do nothing before the commit: a broker takes no part in the journal's transaction."""

    def on_commit(self) -> None:
        """Request a drain. One that finds nothing due ends at once."""
        self._drain.apply_async(expires=_EXPIRES, retry=False, **self._queue)

    def _restore_schedule(self, *, sender: Any, **_more: object) -> None:  # noqa: ANN401 - beat's service
        if sender.app is self._app and PERIODIC_DRAIN not in sender.app.conf.beat_schedule:
            _log.warning("beat_schedule was replaced after the runner was made. %s was added again.", PERIODIC_DRAIN)
            sender.scheduler.update_from_dict({PERIODIC_DRAIN: self._schedule})
