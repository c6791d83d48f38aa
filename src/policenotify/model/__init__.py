"""The message model: plain frozen values, and the rules that hold between them.

A message and its parts are imported from `policenotify`. Here are the values that a publisher's `operations` and
`drafts` return.
"""

from policenotify.model.decision import DoubtfulPerson, HeldDelivery, HeldPeople, Resolved, Resumed, Steered, Stopped
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
