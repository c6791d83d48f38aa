"""`manage.py policenotify_resolve`: `policenotify resolve` on the project's journal."""

from __future__ import annotations

from policenotify.integrations.django.command_line import CommandLine
from policenotify.translation import Text


class Command(CommandLine):
    """Record the outcome of a held delivery."""

    help = Text("Record the outcome of a held delivery.")
    command = ("resolve",)
