"""`policenotify keys`: rotate the keys, and keep the signing keys apart."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from policenotify.cli import output
from policenotify.cli.context import CliContext, common, pass_context
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.errors import JournalError, SettingsError

if TYPE_CHECKING:
    from policenotify.settings import Settings

_CODES = "1 settings or keys wrong; 6 no journal"


@click.group("keys", epilog=exit_codes(_CODES))
@common
def keys() -> None:
    """Rotate the installation's keys, or keep the signing keys apart.

    \b
    Examples:
      policenotify keys rotate
    """


@keys.command("rotate", short_help="Make new keys; the old ones still decrypt.", epilog=exit_codes(_CODES))
@common
@pass_context
def rotate(call: CliContext) -> Exit:
    """Make new encryption and signing keys, and encrypt all addresses and sessions again.

    Do it where the signing keys are. Events so far are sealed first. The keys
    file keeps the earlier keys, which still decrypt and verify what they made.
    Processes with the earlier file publish and deliver nothing any more: stop
    them before, then copy the file to every machine and start them again.

    \b
    Examples:
      policenotify keys rotate
    """
    actor = call.actor
    with call.journal() as (settings, journal):
        journal.authorize(actor, "rotate")  # before any file changes
        _ensure_in_file(settings)
        steps = []
        try:
            journal.audit.seal()
        except JournalError as error:  # after an intrusion, new keys are needed all the more
            steps.append(f"Not sealed before the rotation: {error}")
        newer, apart = journal.keys.rotated(secrets.token_bytes), settings.signing_source
        if apart is not None:  # first: the keys file never names a signing key that is nowhere
            newer.replace_detached(apart)
        (newer if apart is None else newer.without_signing()).replace(settings.keys_source)
        sealed = journal.rotate_keys(newer, actor)
    document = {"version": newer.version, "fingerprint": newer.fingerprint, "sealed_again": sealed, "actor": actor}
    steps += [
        f"Copy {settings.keys_source} to every machine of this installation, and into the safe.",
        "Start all that publishes and delivers again, then: policenotify doctor",
        "Give those who verify exports the new public key: policenotify journal public-key",
    ]
    head = f"Version {newer.version} of the keys, fingerprint {newer.fingerprint}. {sealed} values encrypted again."
    call.emit({**document, "next": steps}, Text(head), *(output.line(f"  {step}") for step in steps))
    return Exit.OK


def _ensure_in_file(settings: Settings) -> None:
    for source in filter(None, (settings.keys_source, settings.signing_source)):
        if not source.is_file():
            raise SettingsError(
                f"The keys are not in a file here ({source}). Nothing was changed. Do it where the file is."
            )


@keys.command("detach", short_help="Move the signing keys to a file of their own.", epilog=exit_codes(_CODES))
@click.argument("file")
@common
@pass_context
def detach(call: CliContext, file: str) -> Exit:
    """Move the signing keys to a new FILE, so that machines that publish cannot sign.

    Keep FILE on the one machine that seals and exports (signing_keys = "FILE"
    in its settings). The others need only the keys file.

    \b
    Examples:
      policenotify keys detach policenotify.signing
    """
    from policenotify.settings import read_settings

    settings = read_settings(call.settings, tolerant=True)
    _ensure_in_file(settings)
    place = Path(file).absolute()
    rest = settings.load_keys().detach(place)
    rest.replace(settings.keys_source)
    steps = [
        f'Put into the settings of the machine that seals: signing_keys = "{place}"',
        f"Copy {settings.keys_source} to the others, and {place} to none of them.",
    ]
    call.emit({"written": str(place), "next": steps}, *output.steps([str(place)], steps))
    return Exit.OK
