"""`manage.py policenotify_campaign`: `policenotify campaign` on the project's journal."""

from __future__ import annotations

from policenotify.integrations.django.command_line import CommandLine


class Command(CommandLine):
    """Publish a dated series of messages on time."""

    help = "Publish a dated series of messages on time."
    command = ("campaign",)
