"""The signal of what happened, sent from the journal by a process of the project that delivers.

```python
from django.dispatch import receiver
from policenotify.events import EventKind
from policenotify.integrations.django.signals import journal_event


@receiver(journal_event, sender=EventKind.REFUSED)
def inform_the_desk(sender, event, **more): ...
```

Receivers get `event`, an [`Event`][policenotify.events.Event]; `sender` is its kind. Without a `sender`, a receiver
gets events of all kinds. Receivers run in a thread of their own beside the deliveries, outside of any transaction, at
least once for each event. Of a receiver that raises Django logs the error, and the others get the event all the same.
"""

from __future__ import annotations

from django.db import close_old_connections
from django.dispatch import Signal

from policenotify.events import Event

__all__ = ["journal_event"]

SUBSCRIBER = "django"
"""The name under which the journal remembers which events were sent."""

journal_event = Signal()


def send(event: Event) -> None:
    """Send the signal of an event, as the callback of the subscriber."""
    close_old_connections()  # as Django does before and after each request
    try:
        journal_event.send_robust(event.kind, event=event)
    finally:
        close_old_connections()
