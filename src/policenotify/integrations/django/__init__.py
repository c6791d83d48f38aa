"""Publish from a Django project, in the transaction of `atomic()` if there is one.

The journal's tables are in the project's database.

```python
INSTALLED_APPS = [..., "policenotify.integrations.django"]
POLICENOTIFY = {"SETTINGS": BASE_DIR / "policenotify.toml"}
```
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from django.db import connections, transaction

from policenotify import settings
from policenotify.integrations.django import signals
from policenotify.integrations.django.database import alias, configured, journal_url, project_settings, runner
from policenotify.integrations.host import ProcessPublisher
from policenotify.journal.database.host_connection import borrowed
from policenotify.model.message import Message
from policenotify.model.receipt import Publication
from policenotify.publishing.publisher import Publisher

__all__ = ["joined", "open_publisher", "publish", "publisher"]


def open_publisher() -> Publisher:
    """Open the publisher of the installation, with its journal in the project's database, which sends the signals.

    Raises:
        SettingsError: The settings, the keys or the database do not allow it, or the settings name another journal.
        JournalError: The journal cannot be opened, or has no tables yet.
    """
    project_settings(secrets=False)
    on_event = {signals.SUBSCRIBER: signals.send}
    return settings.open_publisher(configured("SETTINGS"), journal=journal_url(alias()), on_event=on_event)


_process_publisher = ProcessPublisher(open_publisher)


def close() -> None:
    """Close the publisher of this process, unless it is a runner's."""
    _process_publisher.close()


def publisher() -> Publisher:
    """Return the publisher of this process, or of the runner in `POLICENOTIFY["RUNNER"]`."""
    current: Publisher = (runner() or _process_publisher).publisher
    return current


@contextmanager
def joined() -> Iterator[Publisher]:
    """Yield the publisher of this process. Inside `atomic()`, what it reads and decides is part of that transaction.

    ```python
    with joined() as current:
        current.operations.resolve(4711, actor="claire", posted=True)
    ```

    To publish there, call [`publish`][policenotify.integrations.django.publish].

    Raises:
        django.db.transaction.TransactionManagementError: The transaction is already broken.
    """
    current, database = publisher(), connections[alias()]
    if not database.in_atomic_block:
        yield current
        return
    database.validate_no_broken_transaction()
    database.ensure_connection()
    with borrowed(database.connection) as connection, current.journal.joined(connection):
        yield current


def publish(
    message: Message,
    *,
    key: str,
    actor: str,
    to: Sequence[str] | None = None,
    wait: timedelta | float = timedelta(0),
    draft: str | None = None,
    urgent: str = "",
) -> Publication:
    """Publish a message, inside `transaction.atomic()` as part of that transaction.

    A rollback then undoes the publication. Otherwise the message is in the journal when the call returns. By default
    the runner delivers it. Only outside `atomic()` may *wait* be more than zero. See
    [`Publisher.publish`][policenotify.publishing.publisher.Publisher.publish].

    Raises:
        django.db.transaction.TransactionManagementError: The transaction is already broken.
    """
    current, database = publisher(), connections[alias()]
    if not database.in_atomic_block:
        return current.publish(message, key=key, actor=actor, to=to, wait=wait, draft=draft, urgent=urgent)
    database.validate_no_broken_transaction()
    database.ensure_connection()
    with borrowed(database.connection) as connection:
        publication = current.publish(
            message, key=key, actor=actor, to=to, wait=wait, connection=connection, draft=draft, urgent=urgent
        )
    transaction.on_commit(current.wake, using=alias())
    return publication
