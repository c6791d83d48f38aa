"""Create the journal's tables, of version 1, and make their models known to Django."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import migrations, models

from policenotify.integrations.django.database import alias, in_memory, migrate_journal
from policenotify.integrations.django.models import MicrosecondsField
from policenotify.translation import Text


def create_journal(_apps: object, schema_editor: Any) -> None:  # noqa: ANN401 - Django has no types
    """Create the tables in the database that holds the journal, as `policenotify migrate` does."""
    name = schema_editor.connection.alias
    if name == alias() and not in_memory(name):
        migrate_journal()


class Migration(migrations.Migration):  # type: ignore[misc]  # Django has no types
    """Not atomic, because the journal is migrated in a transaction of its own, and never undone."""

    initial = True
    atomic = False
    operations: ClassVar[list[object]] = [
        migrations.RunPython(create_journal),
        migrations.CreateModel(
            name="AttemptRow",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "delivery_id", "number", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.IntegerField()),
                ("started_at", MicrosecondsField()),
                ("ended_at", MicrosecondsField(null=True)),
                ("outcome", models.CharField(max_length=12, null=True)),
                ("reason", models.TextField()),
                ("code", models.TextField()),
            ],
            options={
                "verbose_name": "attempt",
                "verbose_name_plural": "attempts",
                "db_table": "pn_attempt",
                "ordering": ("delivery_id", "number"),
                "managed": False,
                "default_permissions": (),
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="ChannelRow",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("paused_until", MicrosecondsField(null=True)),
                ("blocked_at", MicrosecondsField(null=True)),
                ("reason", models.TextField()),
                ("remedy", models.TextField()),
                ("code", models.TextField()),
            ],
            options={
                "verbose_name": "channel",
                "verbose_name_plural": "channels",
                "db_table": "pn_channel",
                "ordering": ("name",),
                "managed": False,
                "default_permissions": (),
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="DeliveryRow",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("channel", models.CharField(max_length=64)),
                ("language", models.CharField(max_length=35)),
                ("part", models.IntegerField()),
                ("operation", models.CharField(max_length=8)),
                ("state", models.CharField(max_length=12)),
                ("halt", models.CharField(max_length=12)),
                ("not_before", MicrosecondsField()),
                ("not_after", MicrosecondsField(null=True)),
                ("attempts", models.IntegerField()),
                ("last_tried_at", MicrosecondsField(null=True)),
                ("reason", models.TextField()),
                ("remedy", models.TextField()),
                ("code", models.TextField()),
                ("settled_at", MicrosecondsField(null=True)),
            ],
            options={
                "verbose_name": "delivery",
                "verbose_name_plural": "deliveries",
                "db_table": "pn_delivery",
                "ordering": ("-id",),
                "managed": False,
                "default_permissions": (),
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="DraftRow",
            fields=[
                ("id", models.CharField(max_length=26, primary_key=True, serialize=False)),
                ("key", models.CharField(max_length=200, null=True)),
                ("category", models.CharField(max_length=64)),
                ("exercise", models.BooleanField()),
                ("state", models.CharField(max_length=12)),
                ("submitted_by", models.CharField(max_length=200)),
                ("created_at", MicrosecondsField()),
                ("changed_at", MicrosecondsField()),
                ("expires_at", MicrosecondsField(null=True)),
                ("due_at", MicrosecondsField(null=True, verbose_name=Text("second reading due at"))),
            ],
            options={
                "verbose_name": "draft",
                "verbose_name_plural": "drafts",
                "db_table": "pn_draft",
                "ordering": ("-changed_at",),
                "managed": False,
                "default_permissions": (),
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="EventRow",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", MicrosecondsField()),
                ("actor", models.CharField(max_length=200)),
                ("kind", models.CharField(max_length=40)),
                ("publication", models.CharField(max_length=26, null=True)),
                ("delivery", models.BigIntegerField(null=True)),
                ("channel", models.CharField(max_length=64, null=True)),
            ],
            options={
                "verbose_name": "event",
                "verbose_name_plural": "events",
                "db_table": "pn_event",
                "ordering": ("-id",),
                "managed": False,
                "default_permissions": (),
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="IncidentRow",
            fields=[
                ("id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("category", models.CharField(max_length=64)),
                ("status", models.CharField(max_length=16)),
                ("follows", models.CharField(max_length=64, null=True)),
                ("exercise", models.BooleanField()),
                ("opened_at", MicrosecondsField()),
                ("closed_at", MicrosecondsField(null=True)),
                ("due_at", MicrosecondsField(null=True, verbose_name=Text("next message due at"))),
                ("reminders", models.IntegerField()),
                ("reminded_at", MicrosecondsField(null=True)),
            ],
            options={
                "verbose_name": "incident",
                "verbose_name_plural": "incidents",
                "db_table": "pn_incident",
                "ordering": ("-opened_at",),
                "managed": False,
                "default_permissions": (),
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="PublicationRow",
            fields=[
                ("id", models.CharField(max_length=26, primary_key=True, serialize=False)),
                ("key", models.CharField(max_length=200, null=True)),
                ("state", models.CharField(max_length=20)),
                ("sequence", models.IntegerField(null=True)),
                ("stage", models.CharField(max_length=16)),
                ("corrects", models.CharField(max_length=26, null=True)),
                ("message", models.JSONField()),
                ("findings", models.JSONField()),
                ("actor", models.CharField(max_length=200)),
                ("created_at", MicrosecondsField()),
            ],
            options={
                "verbose_name": "publication",
                "verbose_name_plural": "publications",
                "db_table": "pn_publication",
                "ordering": ("-created_at", "-id"),
                "managed": False,
                "default_permissions": (),
                "base_manager_name": "objects",
            },
        ),
        migrations.CreateModel(
            name="Publishing",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
            ],
            options={
                "permissions": (
                    ("view", "May see what was published and what became of it"),
                    ("publish", "May publish, update and end police notifications"),
                    ("approve", "May read drafts for others: approve, return and reject them"),
                    ("resolve", "May settle held deliveries and resume blocked channels"),
                    ("manage", "May stop and resume everything, and take posts down"),
                ),
                "managed": False,
                "default_permissions": (),
            },
        ),
    ]
