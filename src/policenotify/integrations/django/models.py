"""The journal's tables as read-only models, and the permissions of the project's users.

Only [`publish`][policenotify.integrations.django.publish] and the publisher's operations write the journal: rows are
authenticated and form chains, which no `save()` could keep.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from django.db import models
from django.utils import timezone

from policenotify.integrations.django.database import alias
from policenotify.integrations.django.language import say_later
from policenotify.model.draft import DraftState
from policenotify.translation import AnyText, Text, read_text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MicrosecondsField(models.DateTimeField):  # type: ignore[misc]  # Django has no types
    """A time that the journal stores as whole microseconds since 1970. In Python it is aware, in UTC."""

    def get_internal_type(self) -> str:
        """Return the type of the column."""
        return "BigIntegerField"

    def get_transform(self, lookup_name: str) -> None:
        """Refuse `year`, `date` and the like, which databases compute of their own type of times only."""

    def from_db_value(self, value: int | None, *_more: object) -> datetime | None:
        """Return the time."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)

    def get_db_prep_value(self, value: Any, connection: object, prepared: bool = False) -> int | None:  # noqa: ANN401, ARG002, FBT001, FBT002 - Django's own
        """Return the number that a query compares with."""
        at = self.get_prep_value(value)
        if at is not None and timezone.is_naive(at):  # of a project with USE_TZ = False
            at = timezone.make_aware(at)
        return None if at is None else (at - _EPOCH) // timedelta(microseconds=1)


class OfficerTextField(models.TextField):  # type: ignore[misc]  # Django has no types
    """A text for officers, which the journal stores with its template. `str` of it is English."""

    def from_db_value(self, value: str, *_more: object) -> AnyText:
        """Return the text."""
        return read_text(value)


def _refuse(*_arguments: object, **_options: object) -> NoReturn:
    raise TypeError("The journal's rows are read-only here. Publish, or use the operations of publisher().")


class JournalQuerySet(models.QuerySet):  # type: ignore[misc]  # Django has no types
    """Rows of the journal, read from the database that holds it."""

    create = bulk_create = bulk_update = update = delete = get_or_create = update_or_create = _refuse
    acreate = abulk_create = abulk_update = aupdate = adelete = aget_or_create = aupdate_or_create = _refuse


class JournalManager(models.Manager.from_queryset(JournalQuerySet)):  # type: ignore[misc]  # Django has no types
    """Reads the database that `POLICENOTIFY["DATABASE"]` names, whatever the project's routers choose."""

    def get_queryset(self) -> JournalQuerySet:
        """Return all rows."""
        rows: JournalQuerySet = super().get_queryset().using(alias())
        return rows


class JournalModel(models.Model):  # type: ignore[misc]  # Django has no types
    """A table of the journal, which cannot be written through Django."""

    objects = JournalManager()
    save = delete = asave = adelete = save_base = _refuse

    class Meta:
        """No table of Django's, and none of its permissions."""

        abstract = True
        managed = False
        default_permissions = ()
        base_manager_name = "objects"


def _table(name: str, one: str, several: str, *ordering: str) -> Any:  # noqa: ANN401 - Django has no types
    options = {"db_table": name, "verbose_name": one, "verbose_name_plural": several, "ordering": ordering}
    return type("Meta", (JournalModel.Meta,), options)


class Publishing(models.Model):  # type: ignore[misc]  # Django has no types
    """Carries the permissions, which `manage.py migrate` creates. It has no table."""

    class Meta:
        """What a user may do. The function `may` of the settings may refuse more."""

        managed = False
        default_permissions = ()
        permissions = (
            ("view", "May see what was published and what became of it"),
            ("publish", "May publish, update and end police notifications"),
            ("approve", "May read drafts for others: approve, return and reject them"),
            ("resolve", "May settle held deliveries and resume blocked channels"),
            ("manage", "May stop and resume everything, and take posts down"),
        )

    def __str__(self) -> str:
        return "publishing"


class IncidentRow(JournalModel):
    """One event, and whether it is open, ended or cancelled."""

    id = models.CharField(primary_key=True, max_length=64)
    category = models.CharField(max_length=64)
    status = models.CharField(max_length=16)
    follows = models.CharField(max_length=64, null=True)
    exercise = models.BooleanField()
    opened_at = MicrosecondsField()
    closed_at = MicrosecondsField(null=True)
    due_at = MicrosecondsField(say_later(Text("next message due at")), null=True)
    reminders = models.IntegerField()
    reminded_at = MicrosecondsField(null=True)

    Meta = _table("pn_incident", say_later("incident"), say_later("incidents"), "-opened_at")

    def __str__(self) -> str:
        return str(self.id)


class PublicationRow(JournalModel):
    """One message as it was published, or a draft that a check refused.

    `message` and `findings` are JSON, see [`Message`][policenotify.Message] and `Finding`.
    """

    id = models.CharField(primary_key=True, max_length=26)
    key = models.CharField(max_length=200, null=True)
    state = models.CharField(max_length=20)
    incident = models.ForeignKey(
        IncidentRow, models.DO_NOTHING, db_column="incident", null=True, related_name="publications"
    )
    sequence = models.IntegerField(null=True)
    stage = models.CharField(max_length=16)
    corrects = models.CharField(max_length=26, null=True)
    message = models.JSONField()
    findings = models.JSONField()
    actor = models.CharField(max_length=200)
    created_at = MicrosecondsField()

    Meta = _table("pn_publication", say_later("publication"), say_later("publications"), "-created_at", "-id")

    def __str__(self) -> str:
        return f"{self.stage} {self.key or self.id}"

    @property
    def headline(self) -> str:
        """The headline of the message. Empty once it was erased."""
        return str(self.message.get("headline", "")) if isinstance(self.message, dict) else ""

    def finding_lines(self) -> list[str]:
        """Return the findings of the checks, one a line, in English."""
        return [_FINDING.format_map(each) for each in self.findings if isinstance(each, dict)]


_FINDING = "{code} {level} · {field}: {reason} {remedy}"


class DeliveryManager(JournalManager):
    """Reads deliveries without the batches in which those with recipients are sent."""

    def get_queryset(self) -> JournalQuerySet:
        """Return all rows but batches."""
        rows: JournalQuerySet = super().get_queryset().extra(where=["pn_delivery.parent IS NULL"])
        return rows


class DeliveryRow(JournalModel):
    """One publication on one channel, in one language: what is sent, and what became of it."""

    id = models.BigAutoField(primary_key=True)
    publication = models.ForeignKey(
        PublicationRow, models.DO_NOTHING, db_column="publication", related_name="deliveries"
    )
    channel = models.CharField(max_length=64)
    language = models.CharField(max_length=35)
    part = models.IntegerField()
    operation = models.CharField(max_length=8)
    state = models.CharField(max_length=12)
    halt = models.CharField(max_length=12)
    not_before = MicrosecondsField()
    not_after = MicrosecondsField(null=True)
    attempts = models.IntegerField()
    last_tried_at = MicrosecondsField(null=True)
    reason = OfficerTextField()
    remedy = OfficerTextField()
    code = models.TextField()
    settled_at = MicrosecondsField(null=True)

    objects = DeliveryManager()

    Meta = _table("pn_delivery", say_later("delivery"), say_later("deliveries"), "-id")

    def __str__(self) -> str:
        return f"{self.id} on {self.channel}"


class DraftRow(JournalModel):
    """A message that others read before it is published, or after an urgent publication."""

    id = models.CharField(primary_key=True, max_length=26)
    key = models.CharField(max_length=200, null=True)
    category = models.CharField(max_length=64)
    exercise = models.BooleanField()
    state = models.CharField(max_length=12)
    submitted_by = models.CharField(max_length=200)
    created_at = MicrosecondsField()
    changed_at = MicrosecondsField()
    expires_at = MicrosecondsField(null=True)
    publication = models.ForeignKey(
        PublicationRow, models.DO_NOTHING, db_column="publication", null=True, related_name="drafts"
    )
    due_at = MicrosecondsField(say_later(Text("second reading due at")), null=True)

    Meta = _table("pn_draft", say_later("draft"), say_later("drafts"), "-changed_at")

    def __str__(self) -> str:
        return f"{self.state_now} {self.key or self.id}"

    @staticmethod
    def is_late() -> models.Q:
        """Return the condition that the time of a draft is over which readers have not finished with."""
        read = [state for state in DraftState if state.is_read]
        return models.Q(state__in=read, expires_at__lte=datetime.now(UTC))

    @property
    def state_now(self) -> str:
        """Its state. It is expired once its time is over, whatever is stored."""
        return DraftState(self.state).at(datetime.now(UTC), self.expires_at)


class ChannelRow(JournalModel):
    """The block and pause of a channel. A channel that never had one may have no row."""

    name = models.CharField(primary_key=True, max_length=64)
    paused_until = MicrosecondsField(null=True)
    blocked_at = MicrosecondsField(null=True)
    reason = OfficerTextField()
    remedy = OfficerTextField()
    code = models.TextField()

    Meta = _table("pn_channel", say_later("channel"), say_later("channels"), "name")

    def __str__(self) -> str:
        return str(self.name)


class EventRow(JournalModel):
    """Who did what and when. Rows are only added."""

    id = models.BigAutoField(primary_key=True)
    at = MicrosecondsField()
    actor = models.CharField(max_length=200)
    kind = models.CharField(max_length=40)
    publication = models.CharField(max_length=26, null=True)
    delivery = models.BigIntegerField(null=True)
    channel = models.CharField(max_length=64, null=True)

    Meta = _table("pn_event", say_later("event"), say_later("events"), "-id")

    def __str__(self) -> str:
        return f"{self.id} {self.kind}"
