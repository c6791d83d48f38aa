"""`policenotify keys`: rotate the keys."""

from __future__ import annotations

import secrets

import click

from policenotify.cli import output
from policenotify.cli.context import CliContext, common, pass_context
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.errors import JournalError
from policenotify.translation import Text
from policenotify.validation import indented

_CODES = "1 settings or keys wrong; 6 no journal"


@click.group("keys", epilog=exit_codes(_CODES))
@common
def keys() -> None:
    """Rotate the installation's keys.

    \b
    Examples:
      policenotify keys rotate
    """


@keys.command("rotate", short_help="Make new keys; the old ones still decrypt.", epilog=exit_codes(_CODES))
@common
@pass_context
def rotate(call: CliContext) -> Exit:
    """Make new encryption and signing keys, and encrypt all addresses and sessions again.

    Events so far are sealed first. The keys file keeps the earlier keys, which
    still decrypt and verify what they made. Processes with the earlier file
    publish and deliver nothing any more: stop them before, then copy the file
    to every machine and start them again.

    \b
    Examples:
      policenotify keys rotate
    """
    actor = call.actor
    with call.journal() as (settings, journal):
        journal.authorize(actor, "rotate")  # before any file changes
        steps = []
        try:
            journal.audit.seal()
        except JournalError as error:  # after an intrusion, new keys are needed all the more
            steps.append(Text("Not sealed before the rotation: {error}", error=error))
        newer = journal.keys.rotated(secrets.token_bytes)
        newer.replace(settings.keys_path)
        sealed = journal.rotate_keys(newer, actor)
    document = {"version": newer.version, "fingerprint": newer.fingerprint, "sealed_again": sealed, "actor": actor}
    steps += [
        Text(
            "Copy {keys_path} to every machine of this installation, and into the safe.", keys_path=settings.keys_path
        ),
        Text("Start all that publishes and delivers again, then: policenotify doctor"),
    ]
    head = Text(
        "Version {version} of the keys, fingerprint {fingerprint}. {sealed} values encrypted again.",
        version=newer.version,
        fingerprint=newer.fingerprint,
        sealed=sealed,
    )
    call.emit({**document, "next": steps}, output.prose(head), *(output.line(indented(step)) for step in steps))
    return Exit.OK
