"""Make the models of the journal's tables, of version 1, known to Django. The app has created the tables."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations
from django.db.migrations.state import ModelState

from policenotify.integrations.django import models


def _known(model: type[object]) -> object:
    """Return the operation that makes a model known. As its table is not Django's, the model itself describes it."""
    state = ModelState.from_model(model)
    return migrations.CreateModel(state.name, list(state.fields.items()), state.options, managers=state.managers)


class Migration(migrations.Migration):  # type: ignore[misc]  # Django has no types
    """Changes nothing in the database: the tables are not Django's."""

    initial = True
    operations: ClassVar[list[object]] = [
        _known(model)
        for model in (
            models.Publishing, models.IncidentRow, models.PublicationRow, models.DeliveryRow,
            models.DraftRow, models.ChannelRow, models.EventRow,
        )
    ]  # fmt: skip
