"""`manage.py policenotify_stop`: `policenotify stop` on the project's journal."""

from __future__ import annotations

from policenotify.integrations.django.command_line import CommandLine
from policenotify.translation import Text


class Command(CommandLine):
    """Stop all publishing and delivery at once."""

    help = Text("Stop all publishing and delivery at once.")
    command = ("stop",)
