"""Delivered by the workers of a Celery app.

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

from policenotify.integrations.host import EVERY, ProcessPublisher
from policenotify.journal.workers import OVERDUE
from policenotify.publishing.publisher import Publisher
from policenotify.settings import open_publisher

if TYPE_CHECKING:
    from sqlalchemy import Connection

DRAIN = "policenotify.drain"
SWEEP = "policenotify.sweep"
_PROMISE = "celery"

_log = logging.getLogger("policenotify")


class CeleryRunner(ProcessPublisher):
    """Puts the task `policenotify.drain` into the host's app, and its sweep into `beat_schedule`.

    Beat must run: the sweep finds what was lost with a killed worker or a broker, and what is due again later. The
    broker may lose and repeat what it wants.

    Args:
        app: The host's app; make the runner where its other tasks are.
        open_publisher: Opens the installation's publisher, once in each process.
        every: How often it looks for itself.
        queue: The task's queue; by default the app's.
    """

    def __init__(
        self,
        app: Celery,
        open_publisher: Callable[[], Publisher] = open_publisher,
        *,
        every: timedelta = EVERY,
        queue: str | None = None,
    ) -> None:
        super().__init__(open_publisher, self)
        self._app = app
        self._queue = {"queue": queue} if queue else {}
        # What waited for longer in the queue is not needed any more: the next one is there.
        options = {"expires": every.total_seconds(), **self._queue}
        self._sweep = {"task": DRAIN, "schedule": every, "options": options}
        app.add_periodic_task(every, app.signature(DRAIN), name=SWEEP, **options)

        @app.task(name=DRAIN, ignore_result=True, shared=False)  # type: ignore[untyped-decorator]  # Celery has no types
        def drain() -> None:
            self.publisher.journal.workers.acknowledge_drain(_PROMISE)
            self.drain(every)

        self._drain = drain
        here = {"weak": False, "dispatch_uid": id(self)}  # Celery takes a method of two objects for one receiver
        for begins in (signals.beat_init, signals.beat_embedded_init):
            begins.connect(self._see_to_the_sweep, **here)
        for ends in (signals.worker_process_shutdown, signals.worker_shutdown):
            ends.connect(self._end, **here)

    def enqueue(self, connection: Connection) -> None:
        """Nothing yet: a broker knows no transaction of ours."""

    def on_commit(self) -> None:
        """Ask for a drain, unless one has been asked for that has not begun."""
        journal = self.publisher.journal
        if not journal.workers.request_drain(_PROMISE):
            return
        try:
            self._drain.apply_async(expires=OVERDUE.total_seconds(), retry=False, **self._queue)
        except BaseException:
            journal.workers.acknowledge_drain(_PROMISE)  # the next one asks again
            raise

    def _see_to_the_sweep(self, *, sender: Any, **_more: object) -> None:  # noqa: ANN401 - beat's service
        if sender.app is self._app and SWEEP not in sender.app.conf.beat_schedule:
            _log.warning("beat_schedule was replaced after the runner was made: %s is put back into it.", SWEEP)
            sender.scheduler.update_from_dict({SWEEP: self._sweep})

    def _end(self, **_more: object) -> None:
        self.close()
