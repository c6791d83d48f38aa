"""`manage.py policenotify_resolve`: `policenotify resolve` on the project's journal."""

from __future__ import annotations

from policenotify.integrations.django.command_line import CommandLine


class Command(CommandLine):
    """Record the outcome of a held delivery."""

    help = "Record the outcome of a held delivery."
    command = ("resolve",)
