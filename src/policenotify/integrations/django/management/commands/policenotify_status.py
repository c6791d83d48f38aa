"""`manage.py policenotify_status`: `policenotify status` on the project's journal."""

from __future__ import annotations

from policenotify.integrations.django.command_line import CommandLine
from policenotify.translation import Text


class Command(CommandLine):
    """Show alarms, open incidents and outcomes."""

    help = Text("Show alarms, open incidents and outcomes.")
    command = ("status",)
