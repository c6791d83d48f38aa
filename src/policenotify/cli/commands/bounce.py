"""`policenotify bounce`: what a mail reports that came back, from the relay's pipe."""

from __future__ import annotations

import sys
from typing import Final

import click

from policenotify.cli.context import CliContext, command
from policenotify.cli.exit_codes import Exit
from policenotify.errors import PolicenotifyError
from policenotify.formats.mail_report import MOST_BYTES
from policenotify.publishing.people import People
from policenotify.settings import channels_of

_PIECE: Final = 65_536


@command("bounce", exits="75 the journal or the settings are not available: the relay tries again")
@click.argument("recipients", nargs=-1)
def bounce(call: CliContext, recipients: tuple[str, ...]) -> Exit:
    """Read a mail that came back on standard input, and record what it reports about its recipient.

    For the pipe of a mail relay. RECIPIENTS are the envelope's: `bounce+TOKEN@police.example`. Without them the headers
    Delivered-To, X-Original-To, Envelope-To and To are searched. A mail that reports nothing, or names no mail of this
    installation, changes nothing.

    \b
    Examples:
      policenotify bounce < mail
      policenotify bounce bounce+ahamib5l@police.example < mail
    """
    mail = _read()
    try:
        with call.journal() as (settings, journal):
            channels = {channel.name: channel for channel in channels_of(settings, tolerant=True)}
            done = People(journal, channels, journal.clock).bounce(mail, recipients)
    except PolicenotifyError as error:
        click.echo(str(error), err=True)
        return Exit.TRY_AGAIN
    text = f"{done.kind} {done.status}".strip() + f": {done.result or 'ignored'}"
    call.answer({"kind": done.kind, "status": done.status, "result": done.result}, f"{text}\n")
    return Exit.OK


def _read() -> bytes:
    """Read the mail to its end, as a relay takes a closed pipe for a failure. Only its beginning is kept."""
    mail = bytearray()
    while piece := sys.stdin.buffer.read(_PIECE):
        mail += piece[: max(MOST_BYTES - len(mail), 0)]
    return bytes(mail)
