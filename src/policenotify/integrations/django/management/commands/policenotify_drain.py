"""`manage.py policenotify_drain`: `policenotify drain` on the project's journal."""

from __future__ import annotations

from policenotify.integrations.django.command_line import CommandLine
from policenotify.translation import Text


class Command(CommandLine):
    """Deliver due messages once and exit."""

    help = Text("Deliver due messages once and exit.")
    command = ("drain",)
