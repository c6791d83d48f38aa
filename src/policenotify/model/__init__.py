"""The message model: plain frozen values, and the rules that hold between them.

A message and its parts are imported from `policenotify`. Here are the values that a publisher's `operations` and
`drafts` return. They are imported at their first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policenotify.model.decision import (
        DoubtfulPerson,
        HeldDelivery,
        HeldPeople,
        Resolved,
        Resumed,
        Steered,
        Stopped,
    )
    from policenotify.model.draft import Draft
    from policenotify.model.progress import Progress, pace
    from policenotify.model.status import (
        Alarm,
        AlarmLine,
        ChannelStatus,
        Diagnosis,
        DiagnosisLine,
        IncidentLine,
        InstallationStatus,
        Problem,
    )

_HOMES = {
    "decision": ("DoubtfulPerson", "HeldDelivery", "HeldPeople", "Resolved", "Resumed", "Steered", "Stopped"),
    "draft": ("Draft",),
    "progress": ("Progress", "pace"),
    "status": (
        "Alarm",
        "AlarmLine",
        "ChannelStatus",
        "Diagnosis",
        "DiagnosisLine",
        "IncidentLine",
        "InstallationStatus",
        "Problem",
    ),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Alarm",
    "AlarmLine",
    "ChannelStatus",
    "Diagnosis",
    "DiagnosisLine",
    "DoubtfulPerson",
    "Draft",
    "HeldDelivery",
    "HeldPeople",
    "IncidentLine",
    "InstallationStatus",
    "Problem",
    "Progress",
    "Resolved",
    "Resumed",
    "Steered",
    "Stopped",
    "pace",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
