"""`policenotify journal`: keep it as long as is right, hand it out, prove it, move it, and forget what is old."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.text import Text

from policenotify.cli import output
from policenotify.cli.age_filter import chosen, known_category, moment_of
from policenotify.cli.commands.journal_export import UNCHANGED, export, public_key, verify
from policenotify.cli.commands.journal_transfer import move
from policenotify.cli.context import CliContext, common, pass_call
from policenotify.cli.exit_codes import Exit, exit_codes

if TYPE_CHECKING:
    from policenotify.journal.retention import Purged


@click.group("journal", epilog=exit_codes(UNCHANGED))
@common
def journal() -> None:
    """Hand the journal out, prove it, move it, and forget what is older than you may keep.

    \b
    Examples:
      policenotify journal export journal.jsonl
      policenotify journal verify
      policenotify journal purge --older-than 3y --dry-run
      policenotify journal vacuum
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped


@journal.command(
    "purge",
    short_help="Forget what is older than an age.",
    epilog=exit_codes("3 something old enough is kept: it is to be sent or held; 6 no journal"),
)
@chosen(required=True)
@click.option("--dry-run", is_flag=True, help="Only say how much it would be.")
@common
@pass_call
def purge(call: CliContext, /, *, older_than: str, category: str | None, dry_run: bool) -> Exit:
    """Forget the words, recipients and pictures of what is older than an age; this cannot be undone.

    Only of closed incidents whose last word is that old, of messages outside
    incidents, and of drafts that a check refused. That something was said, by
    whom and when, in which category and stage, and what became of it stays,
    and so do the sealed batches. Who purged is written down.

    Then run: policenotify journal vacuum

    \b
    Examples:
      policenotify journal purge --older-than 3y --dry-run
      policenotify journal purge --older-than 90d --category missing_person
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    actor = call.actor
    with call.journal() as (settings, opened):
        before = moment_of(older_than, opened.now())
        known_category(category, settings, opened)
        done = opened.retention.purge(before, actor, category=category, dry_run=dry_run)
        zone = settings.zone
    said = {"before": before.isoformat(), "category": category, "dry_run": dry_run, **asdict(done), "actor": actor}
    what = "Would be forgotten" if dry_run else "Forgotten"
    head = Text(f"{what}, of before {output.moment(before, zone)}:", style="bold")
    call.emit(said, head, *(output.line(f"  {line}") for line in _purged(done)), *_left(done))
    return Exit.ATTENTION if done.kept else Exit.OK


def _purged(done: Purged) -> list[str]:
    return [
        f"{done.incidents} incidents, {done.messages} messages outside incidents",
        f"{done.publications} publications with {done.deliveries} deliveries and {done.events} events",
        f"{done.recipients} recipients, {done.pictures} pictures",
    ]


def _left(done: Purged) -> list[Text]:
    if not done.kept:
        return []
    return [Text(f"Kept: {done.kept}, old enough, but something is to be sent or is held. See: policenotify status")]


@journal.command(
    "vacuum",
    short_help="Give the room of what was purged back.",
    epilog=exit_codes("6 no journal, or others are at work on it"),
)
@common
@pass_call
def vacuum(call: CliContext) -> Exit:
    """Give the room of what was purged back to the disk. Best when nobody is at work.

    On SQLite others wait meanwhile, for some seconds; on PostgreSQL nobody does.

    \b
    Examples:
      policenotify journal vacuum
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    with call.journal() as (_, opened):
        before, after = opened.retention.vacuum()
    told = f"Vacuumed: {before / 1e6:.1f} MB before, {after / 1e6:.1f} MB now."
    call.emit({"before": before, "after": after}, Text(told))
    return Exit.OK


@journal.command("seal", short_help="Close and sign the events so far.", epilog=exit_codes(UNCHANGED))
@common
@pass_call
def seal(call: CliContext) -> Exit:
    """Close and sign the events since the last seal: once a day, from a timer.

    Keep the digest of the last seal elsewhere: it shows whether the newest batches were cut off.

    \b
    Examples:
      policenotify journal seal
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    with call.journal() as (_, opened):
        events = opened.audit.seal()
        digest = opened.audit.last_seal()
    told = [output.line(f"The last seal: {digest}")] if digest else []
    call.emit({"events": events, "digest": digest}, Text(f"{events} events sealed."), *told)
    return Exit.OK


for _one in (export, verify, public_key, move):
    journal.add_command(_one)
