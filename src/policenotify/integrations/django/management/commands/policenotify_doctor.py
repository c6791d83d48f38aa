"""`manage.py policenotify_doctor`: `policenotify doctor` on the project's journal."""

from __future__ import annotations

from policenotify.integrations.django.command_line import CommandLine
from policenotify.translation import Text


class Command(CommandLine):
    """Check the installation; nothing is posted."""

    help = Text("Check the installation; nothing is posted.")
    command = ("doctor",)
