"""What happened, as a host application learns of it. No event holds a text, an address, a token or an incident's id.

Look up what an event is about in the journal: `publisher.publication(event.publication)`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from policenotify.model.lifecycle import FrozenModel, Stage


class JournalEvent(FrozenModel):
    """Something that happened, as the journal recorded it.

    Attributes:
        number: Its number in the journal. With `event` it names it, so that a repetition can be recognised.
        at: When it happened, by the journal's clock, in UTC.
        event: The kind of event.
    """

    number: int
    at: AwareDatetime
    event: str


class PublicationEvent(JournalEvent):
    """Something that happened to a publication.

    Attributes:
        publication: Its id.
    """

    publication: str


class MessagePublished(PublicationEvent):
    """A message was stored, and its deliveries wait.

    Attributes:
        category: The code of its category.
        stage: Its stage.
    """

    event: Literal["published"] = "published"
    category: str
    stage: Stage


class PublicationRefused(PublicationEvent):
    """The checks refused a message. Nothing of it was sent.

    Attributes:
        codes: The codes of the findings that forbid it.
    """

    event: Literal["refused_by_check"] = "refused_by_check"
    codes: tuple[str, ...]


class FindingOverridden(PublicationEvent):
    """A message was published despite findings of level `block`: another person approved it, or it was urgent.

    Attributes:
        codes: The codes of these findings.
    """

    event: Literal["finding_overridden"] = "finding_overridden"
    codes: tuple[str, ...]


class DeliveryEvent(PublicationEvent):
    """Something that happened to a delivery.

    Attributes:
        channel: The name of its channel.
        delivery: Its id.
    """

    channel: str
    delivery: int


class DeliveryPosted(DeliveryEvent):
    """It was posted, or a person found it posted. Of a list of people at least one has it."""

    event: Literal["posted"] = "posted"


class DeliveryDelayed(DeliveryEvent):
    """An attempt has not got it posted, or has left it in doubt. It is tried, or looked for, again.

    Attributes:
        attempt: Number of the attempt, from 1. Of a list, that of one of its pages.
        code: The network's own code. Empty if it gave none.
    """

    event: Literal["delayed"] = "delayed"
    attempt: int
    code: str


class DeliveryRefused(DeliveryEvent):
    """The network refused it for good, or it could not be worded. A person must reach its readers in another way."""

    event: Literal["refused"] = "refused"


class DeliveryHeld(DeliveryEvent):
    """It may or may not be out, or was changed in the database. A person must look, and settle it with `resolve`.

    Of a list of people, this holds for some of them: it follows `DeliveryPosted` or `DeliveryRefused`.
    """

    event: Literal["held"] = "held"


class ChannelBlocked(JournalEvent):
    """Nothing more is sent on a channel until a person acts: see `policenotify doctor`.

    Attributes:
        channel: The name of the channel.
    """

    event: Literal["blocked"] = "blocked"
    channel: str


class IncidentOverdue(PublicationEvent):
    """The end or an update of an open incident is owed. `publication` is its opening.

    Attributes:
        level: Number of the reminder for this deadline, from 1.
    """

    event: Literal["overdue"] = "overdue"
    level: int


class SecondReadingOverdue(PublicationEvent):
    """The second reading of an urgent publication is owed. `publication` is its draft, which has an id of its own.

    Attributes:
        level: Number of the reminder for this deadline, from 1.
    """

    event: Literal["second_reading_overdue"] = "second_reading_overdue"
    level: int


class PeopleSuppressed(JournalEvent):
    """Some people are not written to any more.

    Attributes:
        channel: The name of the channel. Empty: on all channels.
        people: Their number.
        source: Why: `bounce`, `operator`, `stop`, `one-click` or `complaint`.
    """

    event: Literal["suppressed"] = "suppressed"
    channel: str
    people: int
    source: str


class WorkerEvent(JournalEvent):
    """Something that happened to a worker.

    Attributes:
        host: The name of its machine.
    """

    host: str


class WorkerStarted(WorkerEvent):
    """A worker delivers from now on."""

    event: Literal["worker_started"] = "worker_started"


class WorkerStopped(WorkerEvent):
    """A worker has ended in order."""

    event: Literal["worker_stopped"] = "worker_stopped"


class WorkerLost(WorkerEvent):
    """A worker has exited without a word, as when it is killed. The next process that delivers, or publishes, notices.

    What waits goes out once a worker runs.
    """

    event: Literal["worker_lost"] = "worker_lost"


class ClockSet(JournalEvent):
    """The journal's clock was set. All that waits was moved with it. Check the time of the machine: `timedatectl`.

    Attributes:
        seconds: By how much. Negative: it was set back.
    """

    event: Literal["clock_set"] = "clock_set"
    seconds: float
