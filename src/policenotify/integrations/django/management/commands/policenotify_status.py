"""`manage.py policenotify_status`: `policenotify status` on the project's journal."""

from __future__ import annotations

from policenotify.integrations.django.command_line import CommandLine


class Command(CommandLine):
    """Show alarms, open incidents and outcomes."""

    help = "Show alarms, open incidents and outcomes."
    command = ("status",)
