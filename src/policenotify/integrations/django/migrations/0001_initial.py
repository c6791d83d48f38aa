"""Create the journal's tables, of version 1, and make their models known to Django."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import migrations
from django.db.migrations.state import ModelState

from policenotify.integrations.django import models
from policenotify.integrations.django.database import alias, in_memory, migrate_journal


def create_journal(_apps: object, schema_editor: Any) -> None:  # noqa: ANN401 - Django has no types
    """Create the tables in the database that holds the journal, as `policenotify migrate` does."""
    name = schema_editor.connection.alias
    if name == alias() and not in_memory(name):
        migrate_journal()


def _known(model: type[object]) -> object:
    """Return the operation that makes a model known. As its table is not Django's, the model itself describes it."""
    state = ModelState.from_model(model)
    return migrations.CreateModel(state.name, list(state.fields.items()), state.options, managers=state.managers)


class Migration(migrations.Migration):  # type: ignore[misc]  # Django has no types
    """Not atomic, because the journal is migrated in a transaction of its own, and never undone."""

    initial = True
    atomic = False
    operations: ClassVar[list[object]] = [
        migrations.RunPython(create_journal),
        *map(
            _known,
            (
                models.Publishing, models.IncidentRow, models.PublicationRow, models.DeliveryRow,
                models.DraftRow, models.ChannelRow, models.EventRow,
            ),
        ),
    ]  # fmt: skip
