"""`manage.py policenotify COMMAND`: run the command line on the project's journal."""

from __future__ import annotations

from policenotify.integrations.django.command_line import CommandLine


class Command(CommandLine):
    """Every command of `policenotify`."""

    help = "Run a command of policenotify on the project's journal: stop, resume, status, incidents, doctor, resolve …"
