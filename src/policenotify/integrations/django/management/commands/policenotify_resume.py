"""`manage.py policenotify_resume`: `policenotify resume` on the project's journal."""

from __future__ import annotations

from policenotify.integrations.django.command_line import CommandLine
from policenotify.translation import Text


class Command(CommandLine):
    """Resume after a stop, a blocked channel or a pause."""

    help = Text("Resume after a stop, a blocked channel or a pause.")
    command = ("resume",)
