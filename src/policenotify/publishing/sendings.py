"""Sendings to many people, seen and steered by the publisher."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from policenotify.channel import Clock
from policenotify.errors import printable
from policenotify.model.decision import Steered
from policenotify.model.progress import Progress
from policenotify.translation import Text

if TYPE_CHECKING:
    from policenotify.journal.journal import Journal

_SHORTEST_INTERVAL = 0.1  # seconds between two samples of a sending


class SendingControls(ABC):
    """The part of a publisher that shows how far a sending is, and pauses, resumes or aborts it.

    Attributes:
        journal: The journal.
        clock: Waits between two samples.
    """

    journal: Journal
    clock: Clock

    @abstractmethod
    def wake(self) -> None:
        """Let the worker and the runners look for something to deliver."""

    def progress(self, publication: str) -> Progress:
        """Return how far a publication is: how many people have which outcome, and why. It names no person.

        It takes some milliseconds, whatever the list.

        Args:
            publication: Its id or your key.

        Raises:
            KeyError: There is none.
        """
        found = self.journal.sendings.progress(publication)
        if found is None:
            raise KeyError(publication)
        return found

    def watch(self, publication: str, *, every: timedelta | float = 1.0) -> Iterator[Progress]:
        """Yield the progress of a publication at intervals, whichever process sends it, until it is settled.

        The journal stores no event for each person. This is the source of such events for a host: a progress bar, a
        web socket, a metric. The rate and the time left follow from two samples; see
        [`pace`][policenotify.model.progress.pace]. While it is paused it goes on, until you leave the loop.

        Args:
            publication: Its id or your key.
            every: The time between two samples; a number is seconds, at least 0.1.

        Raises:
            KeyError: There is none.
            ValueError: *every* is not such a time.
        """
        seconds = every.total_seconds() if isinstance(every, timedelta) else every
        if not seconds >= _SHORTEST_INTERVAL:  # nor is nan
            raise ValueError(Text("every: at least {shortest_interval} seconds", shortest_interval=_SHORTEST_INTERVAL))
        return self._watch(self.progress(publication), seconds)

    def _watch(self, progress: Progress, seconds: float) -> Iterator[Progress]:
        yield progress
        while not progress.is_settled:
            self.clock.sleep(seconds)
            progress = self.progress(progress.publication)
            yield progress

    def pause_sending(self, publication: str, *, actor: str, channel: str | None = None, reason: str = "") -> Steered:
        """Stop sending a publication to people until `resume_sending`; see `Sendings.pause` of the journal.

        It takes effect after the people who are marked, in every process. Posts on other networks are not paused.

        Args:
            publication: Its id or your key.
            actor: Who decided it.
            channel: One channel, or all that have recipients.
            reason: Why, for the journal.

        Raises:
            KeyError: There is none.
            NotAllowed: The installation's rule (`may`) refuses it to the actor.
        """
        return self.journal.sendings.pause(
            self._id_of(publication), actor, channel=channel, reason=printable(reason).strip()
        )

    def resume_sending(self, publication: str, *, actor: str, channel: str | None = None) -> Steered:
        """Go on with what was paused, and notify the worker and the runners. Raises as `pause_sending`."""
        resumed = self.journal.sendings.resume(self._id_of(publication), actor, channel=channel)
        self.wake()
        return resumed

    def abort_sending(self, publication: str, *, actor: str, channel: str | None = None, reason: str = "") -> Steered:
        """Stop sending a publication to people for good. Raises as `pause_sending`.

        People who wait get the outcome `superseded`, with the actor in the reason. People in doubt are held. Those who
        have the message keep it, and still get the end of its incident.
        """
        return self.journal.sendings.abort(
            self._id_of(publication), actor, channel=channel, reason=printable(reason).strip()
        )

    def _id_of(self, publication: str) -> str:
        found = self.journal.publications.get(publication)
        if found is None:
            raise KeyError(publication)
        return found.id
