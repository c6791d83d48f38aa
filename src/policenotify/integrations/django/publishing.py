"""Publish from Django: in the transaction of `atomic()`, if there is one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connections, transaction
from django.utils.module_loading import import_string

from policenotify import settings as installation
from policenotify.integrations.django.database import journal_url
from policenotify.integrations.host import ProcessPublisher
from policenotify.journal.transactions import borrowed
from policenotify.model.message import Message
from policenotify.model.receipt import Publication
from policenotify.publishing.publisher import Publisher


def configured(name: str, otherwise: str | None = None) -> Any:  # noqa: ANN401 - whatever the project says
    """What the project says in `POLICENOTIFY`: SETTINGS, DATABASE (an alias) or RUNNER (its dotted path)."""
    return getattr(settings, "POLICENOTIFY", {}).get(name, otherwise)


def alias() -> str:
    """Which of the project's databases the journal is in."""
    return str(configured("DATABASE", "default"))


def open_publisher() -> Publisher:
    """Open the publisher of the installation, with its journal in the project's database.

    Raises:
        SettingsError: The settings, the keys or the database are wrong for it.
        JournalError: The journal cannot be opened, or has no tables yet.
    """
    return installation.open_publisher(configured("SETTINGS"), journal=journal_url(alias()))


_own = ProcessPublisher(open_publisher)


def close() -> None:
    """Close the publisher of this process, if there is one of our own; the next call opens another."""
    _own.close()


def publisher() -> Publisher:
    """The publisher of this process: the runner's that `POLICENOTIFY["RUNNER"]` names, else one of our own."""
    runner = configured("RUNNER")
    return (import_string(runner) if runner else _own).publisher


def publish(
    message: Message, *, key: str, actor: str, to: Sequence[str] | None = None, wait: timedelta | float = timedelta(0)
) -> Publication:
    """Say it. Inside `transaction.atomic()` it is said if that commits, and was never said if it rolls back.

    Otherwise it is journalled at once. Arguments and errors are those of
    [`Publisher.publish`][policenotify.publishing.publisher.Publisher.publish].

    Args:
        message: What to say.
        key: Your own name for this publication: the same key publishes once.
        actor: Who says it.
        to: Names or tags of the channels; by default the routes decide.
        wait: For how long to deliver in this process before returning; by default the runner does it. Inside
            `atomic()` there is nothing to wait for.

    Raises:
        django.db.transaction.TransactionManagementError: The transaction is broken already.
    """
    mine, database = publisher(), connections[alias()]
    if not database.in_atomic_block:
        return mine.publish(message, key=key, actor=actor, to=to, wait=wait)
    database.validate_no_broken_transaction()
    database.ensure_connection()
    with borrowed(database.connection) as connection:
        told = mine.publish(message, key=key, actor=actor, to=to, wait=wait, connection=connection)
    transaction.on_commit(mine.wake, using=alias())
    return told
