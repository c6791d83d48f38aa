"""Several calls of a gateway at once, each in a thread of its own, and their results in the calling thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Calls(Generic[Item, Result]):
    """Calls in flight.

    With `most = 1` a call is made at once, in the calling thread. Otherwise the threads are daemons, so that a process
    can end without them, and see the caller's context variables as they are when the call starts.

    Args:
        call: Makes one call. Runs in several threads at once.
        most: The largest number of calls in flight.
        seconds: The longest time of a call, after which it is given up.
    """

    def __init__(self, call: Callable[[Item], Result], most: int, seconds: float) -> None:
        self._call = call
        self._most = most
        self._seconds = seconds
        self._threads = self._stuck = 0
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._results: SimpleQueue[tuple[int, Result | Exception]] = SimpleQueue()
        self._flying: dict[int, tuple[Item, float]] = {}  # with the time at which to give up
        self._started = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let the threads end after their calls."""
        for _ in range(self._threads):
            self._jobs.put(None)

    @property
    def flying(self) -> int:
        """How many calls are in flight, or have a result that was not taken."""
        return len(self._flying)

    @property
    def free(self) -> bool:
        """Whether another call can start."""
        return len(self._flying) < self._most

    def start(self, item: Item) -> None:
        """Start a call."""
        self._started += 1
        ticket, context = self._started, copy_context()
        self._flying[ticket] = item, time.monotonic() + self._seconds

        def job() -> None:
            self._results.put((ticket, context.run(self._result, item)))

        if self._most == 1:
            job()
            return
        if self._threads - self._stuck < len(self._flying):
            self._threads += 1
            Thread(target=_work, args=(self._jobs,), name="policenotify-sms", daemon=True).start()
        self._jobs.put(job)

    def next(self, *, wait: bool) -> tuple[Item, Result | Exception] | None:
        """Return the result of a call that has ended, or `None` if none has.

        Args:
            wait: Wait for one. The result of a call that takes too long is a `TimeoutError`.
        """
        while self._flying:
            ticket, (_, until) = next(iter(self._flying.items()))
            result: Result | Exception
            try:
                left = max(0.0, until - time.monotonic()) if wait else 0.0
                ticket, result = self._results.get(timeout=left) if wait else self._results.get_nowait()
            except Empty:
                if not wait:
                    return None
                self._stuck += 1
                result = TimeoutError()
            if (ended := self._flying.pop(ticket, None)) is not None:  # else a call that was given up
                return ended[0], result
        return None

    def _result(self, item: Item) -> Result | Exception:
        try:
            return self._call(item)
        except Exception as error:  # noqa: BLE001 - the calling thread decides
            return error.with_traceback(None)  # its frames hold numbers


def _work(jobs: SimpleQueue[Callable[[], None] | None]) -> None:
    while (job := jobs.get()) is not None:
        job()
