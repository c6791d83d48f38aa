"""`manage.py policenotify_stop`: `policenotify stop` on the project's journal."""

from __future__ import annotations

from policenotify.integrations.django.command_line import CommandLine


class Command(CommandLine):
    """Stop all publishing and delivery at once."""

    help = "Stop all publishing and delivery at once."
    command = ("stop",)
