"""policenotify publishes a police message once, on every network.

Here is what most programs need. The rest is at home in `policenotify.errors`, `policenotify.events` and
`policenotify.model`. Names are imported at their first use: `import policenotify` loads no network's SDK and no SQL
toolkit.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

# The package offers a pytest plugin. Without this word pytest warns a process that has imported the package before.
__doc__ = f"{__doc__}\nPYTEST_DONT_REWRITE"

if TYPE_CHECKING:
    from policenotify.errors import (
        ApprovalMissing,
        IdempotencyConflict,
        IncidentNotFound,
        InvalidTransition,
        JournalError,
        MessageRejected,
        MessageTooLong,
        PolicenotifyError,
        PublishingStopped,
        SettingsError,
    )
    from policenotify.findings import Finding
    from policenotify.model.cap import Certainty, Precision, Severity, Urgency
    from policenotify.model.history import Outcome
    from policenotify.model.lifecycle import Lifecycle, Stage
    from policenotify.model.location import Area, Location, Point, Polyline, RoadRef
    from policenotify.model.message import Category, Image, Known, Message, Translation, read
    from policenotify.model.receipt import Publication, PublicationFailed, Receipt
    from policenotify.publishing.aio import AsyncPublisher
    from policenotify.publishing.alerts import import_alert
    from policenotify.publishing.publisher import Publisher
    from policenotify.publishing.reach import Preview
    from policenotify.publishing.routing import Route
    from policenotify.render.locales import Locale
    from policenotify.settings import open_publisher

_HOMES = {  # of all names but errors
    "findings": ("Finding",),
    "model.cap": ("Certainty", "Precision", "Severity", "Urgency"),
    "model.history": ("Outcome",),
    "model.lifecycle": ("Lifecycle", "Stage"),
    "model.location": ("Area", "Location", "Point", "Polyline", "RoadRef"),
    "model.message": ("Category", "Image", "Known", "Message", "Translation", "read"),
    "model.receipt": ("Publication", "PublicationFailed", "Receipt"),
    "publishing.aio": ("AsyncPublisher",),
    "publishing.alerts": ("import_alert",),
    "publishing.publisher": ("Publisher",),
    "publishing.routing": ("Route",),
    "publishing.reach": ("Preview",),
    "render.locales": ("Locale",),
    "settings": ("open_publisher",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ApprovalMissing",
    "Area",
    "AsyncPublisher",
    "Category",
    "Certainty",
    "Finding",
    "IdempotencyConflict",
    "Image",
    "IncidentNotFound",
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
    "Publication",
    "PublicationFailed",
    "Publisher",
    "PublishingStopped",
    "Receipt",
    "RoadRef",
    "Route",
    "SettingsError",
    "Severity",
    "Stage",
    "Translation",
    "Urgency",
    "import_alert",
    "open_publisher",
    "read",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
