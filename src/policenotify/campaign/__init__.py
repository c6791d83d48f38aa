"""Campaigns: a dated series of messages, said on time, each once, and never over an alert.

What is due follows from the campaign and the time; what was said, from the journal alone.
"""

from __future__ import annotations

from policenotify.campaign.deciding import Decision, Note, Past, Verdict, decide, silenced_by
from policenotify.campaign.forecasting import Planned, forecast
from policenotify.campaign.model import Alternative, Campaign, Conduct, Quiet, Schedule, Silence, together
from policenotify.campaign.reading import read_campaign, read_campaigns
from policenotify.campaign.running import Round, run
from policenotify.campaign.schedule import Occurrence, occurrences

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
