"""Campaigns: dated series of messages, published on time and never over an alert.

What is due follows from the campaign and the time. What was published is read from the journal.
"""

from __future__ import annotations

from policenotify.campaigns.approval import submit
from policenotify.campaigns.calendar import ForecastEntry, forecast
from policenotify.campaigns.loader import load_campaign, load_campaigns
from policenotify.campaigns.model import (
    Campaign,
    Inhibition,
    PacingPolicy,
    QuietHours,
    Schedule,
    Variant,
    order_campaigns,
)
from policenotify.campaigns.runner import RunResult, inhibited_campaigns, run
from policenotify.campaigns.schedule import Occurrence, occurrences
from policenotify.campaigns.scheduler import Action, Decision, PastPublication, decide

__all__ = [
    "Action",
    "Campaign",
    "Decision",
    "ForecastEntry",
    "Inhibition",
    "Occurrence",
    "PacingPolicy",
    "PastPublication",
    "QuietHours",
    "RunResult",
    "Schedule",
    "Variant",
    "decide",
    "forecast",
    "inhibited_campaigns",
    "load_campaign",
    "load_campaigns",
    "occurrences",
    "order_campaigns",
    "run",
    "submit",
]
