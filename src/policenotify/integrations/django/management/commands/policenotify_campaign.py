"""`manage.py policenotify_campaign`: `policenotify campaign` on the project's journal."""

from __future__ import annotations

from policenotify.integrations.django.command_line import CommandLine
from policenotify.translation import Text


class Command(CommandLine):
    """Publish a dated series of messages on time."""

    help = Text("Publish a dated series of messages on time.")
    command = ("campaign",)
