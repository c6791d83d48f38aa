"""Campaigns: a dated series of messages, said on time, each once, and never over an alert.

What is due follows from the campaign and the time; what was said, from the journal alone.
"""

from __future__ import annotations

from policenotify.campaigns.forecast import Planned, forecast
from policenotify.campaigns.loader import read_campaign, read_campaigns
from policenotify.campaigns.model import Alternative, Campaign, Conduct, Quiet, Schedule, Silence, together
from policenotify.campaigns.runner import Round, run
from policenotify.campaigns.schedule import Occurrence, occurrences
from policenotify.campaigns.scheduler import Decision, Note, Past, Verdict, decide, silenced_by

__all__ = [
    "Alternative",
    "Campaign",
    "Conduct",
    "Decision",
    "Note",
    "Occurrence",
    "Past",
    "Planned",
    "Quiet",
    "Round",
    "Schedule",
    "Silence",
    "Verdict",
    "decide",
    "forecast",
    "occurrences",
    "read_campaign",
    "read_campaigns",
    "run",
    "silenced_by",
    "together",
]
