"""`manage.py policenotify_doctor`: `policenotify doctor` on the project's journal."""

from __future__ import annotations

from policenotify.integrations.django.command_line import CommandLine


class Command(CommandLine):
    """Check the installation; nothing is posted."""

    help = "Check the installation; nothing is posted."
    command = ("doctor",)
