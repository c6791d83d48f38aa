"""policenotify publishes a police message once, on every network.

Names are imported at their first use: `import policenotify` loads no network's SDK and no SQL toolkit.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

# The package offers a pytest plugin. Without this word pytest warns a process that has imported the package before.
__doc__ = f"{__doc__}\nPYTEST_DONT_REWRITE"

if TYPE_CHECKING:
    from policenotify.checks import Rule
    from policenotify.delivery.worker import Worker
    from policenotify.errors import (
        ApprovalMissing,
        DraftConflict,
        IdempotencyConflict,
        IncidentNotFound,
        InvalidAlert,
        InvalidImage,
        InvalidTransition,
        JournalError,
        MessageRejected,
        MessageTooLong,
        PolicenotifyError,
        PublishingStopped,
        SettingsError,
        UnsupportedVersion,
    )
    from policenotify.findings import Finding
    from policenotify.model.cap import Certainty, Precision, Severity, Urgency
    from policenotify.model.decision import (
        DoubtfulPerson,
        HeldDelivery,
        HeldPeople,
        Resolved,
        Resumed,
        Steered,
        Stopped,
    )
    from policenotify.model.diagnosis import Diagnosis, DiagnosisLine
    from policenotify.model.draft import Draft
    from policenotify.model.history import Outcome
    from policenotify.model.lifecycle import Lifecycle, Stage
    from policenotify.model.location import Area, Location, Point, Polyline, RoadRef
    from policenotify.model.message import Category, Image, Known, Message, Translation, read
    from policenotify.model.progress import Progress, pace
    from policenotify.model.receipt import Publication, PublicationFailed, Receipt
    from policenotify.model.status import Alarm, ChannelStatus, InstallationStatus, Problem
    from policenotify.publishing.aio import AsyncPublisher
    from policenotify.publishing.alerts import ImportedAlert, import_alert
    from policenotify.publishing.approval import ApprovalRule
    from policenotify.publishing.drafts import Drafts
    from policenotify.publishing.publisher import Publisher
    from policenotify.publishing.reach import Preview
    from policenotify.publishing.reminders import Reminder, ReminderPolicy
    from policenotify.publishing.routing import Route
    from policenotify.render.locales import CategoryProfile, Locale
    from policenotify.settings import open_publisher

_HOMES = {
    "publishing.aio": ("AsyncPublisher",),
    "publishing.approval": ("ApprovalRule",),
    "publishing.alerts": ("ImportedAlert", "import_alert"),
    "publishing.drafts": ("Drafts",),
    "model.decision": ("DoubtfulPerson", "HeldDelivery", "HeldPeople", "Resolved", "Resumed", "Steered", "Stopped"),
    "model.diagnosis": ("Diagnosis", "DiagnosisLine"),
    "model.draft": ("Draft",),
    "checks": ("Rule",),
    "errors": (
        "MessageTooLong", "InvalidTransition", "InvalidAlert", "InvalidImage", "JournalError", "IdempotencyConflict",
        "UnsupportedVersion", "MessageRejected", "PolicenotifyError", "SettingsError", "PublishingStopped",
        "ApprovalMissing", "DraftConflict", "IncidentNotFound",
    ),
    "model.lifecycle": ("Lifecycle", "Stage"),
    "model.location": ("Area", "Location", "Point", "Polyline", "RoadRef"),
    "model.message": ("Category", "Image", "Known", "Message", "Translation", "read"),
    "publishing.routing": ("Route",),
    "publishing.publisher": ("Publisher",),
    "publishing.reach": ("Preview",),
    "findings": ("Finding",),
    "model.history": ("Outcome",),
    "model.progress": ("Progress", "pace"),
    "model.receipt": ("Publication", "PublicationFailed", "Receipt"),
    "model.status": ("Alarm", "ChannelStatus", "InstallationStatus", "Problem"),
    "publishing.reminders": ("Reminder", "ReminderPolicy"),
    "model.cap": ("Certainty", "Precision", "Severity", "Urgency"),
    "settings": ("open_publisher",),
    "render.locales": ("CategoryProfile", "Locale"),
    "delivery.worker": ("Worker",),
}  # fmt: skip
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Alarm",
    "ApprovalMissing",
    "ApprovalRule",
    "Area",
    "AsyncPublisher",
    "Category",
    "CategoryProfile",
    "Certainty",
    "ChannelStatus",
    "Diagnosis",
    "DiagnosisLine",
    "DoubtfulPerson",
    "Draft",
    "DraftConflict",
    "Drafts",
    "Finding",
    "HeldDelivery",
    "HeldPeople",
    "IdempotencyConflict",
    "Image",
    "ImportedAlert",
    "IncidentNotFound",
    "InstallationStatus",
    "InvalidAlert",
    "InvalidImage",
    "InvalidTransition",
    "JournalError",
    "Known",
    "Lifecycle",
    "Locale",
    "Location",
    "Message",
    "MessageRejected",
    "MessageTooLong",
    "Outcome",
    "Point",
    "PolicenotifyError",
    "Polyline",
    "Precision",
    "Preview",
    "Problem",
    "Progress",
    "Publication",
    "PublicationFailed",
    "Publisher",
    "PublishingStopped",
    "Receipt",
    "Reminder",
    "ReminderPolicy",
    "Resolved",
    "Resumed",
    "RoadRef",
    "Route",
    "Rule",
    "SettingsError",
    "Severity",
    "Stage",
    "Steered",
    "Stopped",
    "Translation",
    "UnsupportedVersion",
    "Urgency",
    "Worker",
    "import_alert",
    "open_publisher",
    "pace",
    "read",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
