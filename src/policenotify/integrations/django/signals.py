"""Signals of what happened, sent from the journal by the process that delivers.

```python
from django.dispatch import receiver
from policenotify.integrations.django.signals import delivery_refused


@receiver(delivery_refused)
def tell_the_desk(sender, event, **more): ...
```

Receivers get `event`, a [`JournalEvent`][policenotify.JournalEvent]; `sender` is its class. They run in a thread of
their own beside the deliveries, outside of any transaction, at least once for each event. Of a receiver that raises
Django logs the error, and the others get the event all the same.
"""

from __future__ import annotations

from django.db import close_old_connections
from django.dispatch import Signal

from policenotify.model.event import (
    ChannelBlocked,
    ClockSet,
    DeliveryDelayed,
    DeliveryHeld,
    DeliveryPosted,
    DeliveryRefused,
    FindingOverridden,
    IncidentOverdue,
    JournalEvent,
    MessagePublished,
    PeopleSuppressed,
    PublicationRefused,
    SecondReadingOverdue,
    WorkerLost,
    WorkerStarted,
    WorkerStopped,
)

__all__ = [
    "channel_blocked",
    "clock_set",
    "delivery_delayed",
    "delivery_held",
    "delivery_posted",
    "delivery_refused",
    "finding_overridden",
    "incident_overdue",
    "message_published",
    "people_suppressed",
    "publication_refused",
    "second_reading_overdue",
    "worker_lost",
    "worker_started",
    "worker_stopped",
]

SUBSCRIBER = "django"
"""The name under which the journal remembers which events were sent."""

message_published = Signal()
publication_refused = Signal()
finding_overridden = Signal()
delivery_posted = Signal()
delivery_delayed = Signal()
delivery_refused = Signal()
delivery_held = Signal()
channel_blocked = Signal()
incident_overdue = Signal()
second_reading_overdue = Signal()
people_suppressed = Signal()
worker_started = Signal()
worker_stopped = Signal()
worker_lost = Signal()
clock_set = Signal()

_SIGNALS: dict[type[JournalEvent], Signal] = {
    MessagePublished: message_published,
    PublicationRefused: publication_refused,
    FindingOverridden: finding_overridden,
    DeliveryPosted: delivery_posted,
    DeliveryDelayed: delivery_delayed,
    DeliveryRefused: delivery_refused,
    DeliveryHeld: delivery_held,
    ChannelBlocked: channel_blocked,
    IncidentOverdue: incident_overdue,
    SecondReadingOverdue: second_reading_overdue,
    PeopleSuppressed: people_suppressed,
    WorkerStarted: worker_started,
    WorkerStopped: worker_stopped,
    WorkerLost: worker_lost,
    ClockSet: clock_set,
}


def send(event: JournalEvent) -> None:
    """Send the signal of an event, as the callback of the subscriber."""
    close_old_connections()  # as Django does before and after each request
    try:
        _SIGNALS[type(event)].send_robust(type(event), event=event)
    finally:
        close_old_connections()
