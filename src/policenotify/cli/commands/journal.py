"""`policenotify journal`: export, seal, verify, move, purge and erase the journal; `rotate-keys`."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from datetime import UTC
from pathlib import Path

import click

from policenotify.cli import completion, output
from policenotify.cli.context import CliContext, command, group
from policenotify.cli.documents import json_text
from policenotify.cli.exit_codes import Exit
from policenotify.cli.message import category_words
from policenotify.cli.output import Part
from policenotify.cli.times import AGE_FORMS, parse_age
from policenotify.cli.usage import BadParameter, typed_reason
from policenotify.cli.words import code_of
from policenotify.errors import JournalError
from policenotify.journal.database.engine import without_password
from policenotify.journal.database.migrate import move as move_journal
from policenotify.model.receipt import local_time
from policenotify.publishing.alarms import cannot_be_read
from policenotify.publishing.arguments import checked_reason
from policenotify.settings import profiles_of
from policenotify.translation import Text, text_of
from policenotify.validation import indented

_UNCHANGED = "6 no journal, or what was sealed was changed"


@group("journal", exits=_UNCHANGED)
def journal() -> None:
    """Export, verify, move, purge and erase the journal.

    \b
    Examples:
      policenotify journal verify
      policenotify journal export > events.jsonl
      policenotify journal purge --older-than 3y --dry-run
    """


@journal.command(
    "purge",
    short_help="Delete the content of what is older than an age.",
    exits="3 something old enough is kept: it is to be sent or held; 6 no journal",
)
@click.option("--older-than", metavar="AGE", required=True, help=f"Only what was over by then: {AGE_FORMS!s}.")
@click.option("--category", metavar="CODE", shell_complete=completion.categories, help="Only this category.")
@click.option("--dry-run", is_flag=True, help="Show what would be purged.")
def purge(call: CliContext, /, *, older_than: str, category: str | None, dry_run: bool) -> Exit:
    """Delete the texts, recipients and pictures of what is older than an age. It cannot be undone.

    Only of closed incidents whose last message is that old, of messages
    outside incidents, and of drafts that a check rejected. The fact of
    publication (by whom, when, category and stage) and its outcomes stay, as
    do the sealed batches. The journal records who purged.

    The space is used again by later messages; the file does not shrink.

    \b
    Examples:
      policenotify journal purge --older-than 3y --dry-run
      policenotify journal purge --older-than 90d --category missing_person
    """
    actor = call.actor
    with call.journal() as (settings, opened):
        try:
            before = parse_age(older_than, opened.now().astimezone(UTC))
        except ValueError as error:
            raise BadParameter(Text("{text}.", text=text_of(error)), param_hint="--older-than") from None
        if category is not None:  # a typo must not look like a successful purge; the settings may have had it once
            words: dict[str, list[str]] = {each.category: [] for each in opened.incidents.list(only_open=False)}
            words |= category_words(profiles_of(settings))
            category = code_of(category, words, param_hint="--category")
        done = opened.retention.purge(before, actor, category=category, dry_run=dry_run)
        zone = settings.zone
    document = {"before": before.isoformat(), "category": category, "dry_run": dry_run, **asdict(done), "actor": actor}
    counts = [
        Text.counted("{count} publication", "{count} publications", count=done.publications),
        Text.counted("{count} draft", "{count} drafts", count=done.drafts),
    ]
    head = Text(
        "{text}, of before {before}:",
        text=Text("Would be purged") if dry_run else Text("Purged"),
        before=local_time(before, zone),
    )
    kept = Text(
        "Kept: {kept}, old enough, but something is to be sent or is held. See: policenotify status", kept=done.kept
    )
    page = [output.prose(head, style="bold"), *(output.paragraph(count) for count in counts)]
    call.emit(document, *page, *([output.prose(kept)] if done.kept else []))
    return Exit.ATTENTION if done.kept else Exit.OK


@journal.command(
    "erase",
    short_help="Erase one incident or message at once.",
    exits="1 nothing was erased; 6 no journal",
)
@click.argument("which", metavar="INCIDENT|PUBLICATION|KEY")
@click.option("--reason", metavar="TEXT", required=True, help="Why. It is kept, so write no name.")
def erase(call: CliContext, /, *, which: str, reason: str) -> None:
    """Erase texts, pictures and addresses of one incident or message at once. It cannot be undone.

    For a request under article 17 of the GDPR (RGPD). An incident must be
    over, and is erased as a whole. The fact of publication and its outcomes
    stay, as after a purge. Posts stay on the networks: withdraw them first
    (policenotify withdraw).

    \b
    Examples:
      policenotify journal erase 2026-4711 --reason "Demande 2026-12."
    """
    with call.journal() as (_, opened):
        with typed_reason():
            reason = checked_reason("reason", reason)
        done = opened.retention.erase(which, call.actor, reason)
    head = Text.counted("Erased: {count} publication.", "Erased: {count} publications.", count=done.publications)
    call.emit({"which": which, **asdict(done), "actor": call.actor}, output.line(head, "bold"))


@journal.command(
    "seal",
    short_help="Close and sign the events so far.",
    exits=f"1 no signing keys; {_UNCHANGED}",
)
def seal(call: CliContext) -> None:
    """Close and sign the events since the last seal: once a day, from a timer.

    Keep the last line on another host, or on paper: `journal verify --against`
    then shows whether the journal was set back, or its newest part cut off.

    \b
    Examples:
      policenotify journal seal
      policenotify journal seal > last-seal
    """
    with call.journal() as (_, opened):
        events, line = opened.audit.seal(), opened.audit.printed_seal()
    text = Text.counted("{count} event sealed.", "{count} events sealed.", count=events)
    call.emit({"events": events, "line": line}, output.prose(text), *_last_seal(line))


def _last_seal(line: str) -> list[output.Block]:
    return [output.line(Text("The last seal: {line}", line=line))] if line else []


@journal.command("verify", short_help="Verify that nothing was changed.", exits=_UNCHANGED)
@click.option("--against", metavar="LINE", help="The line of a seal, or all that `journal seal` printed.")
def verify(call: CliContext, /, *, against: str | None) -> None:
    """Verify that nothing was changed in the journal.

    That is the events with their seals, and what was or will be sent:
    wordings, accounts, requests, places of posts and approvals. With
    --against, it also shows whether the journal was set back to an earlier
    state. Rows that cannot be read are named.

    \b
    Examples:
      policenotify journal verify
      policenotify journal verify --against "$(cat last-seal)"
    """
    with call.journal() as (_, opened):
        batches = opened.audit.verify(against.split()[-1] if against and against.strip() else "")
        line, damaged = opened.audit.printed_seal(), opened.damaged_rows()
    if damaged:
        raise JournalError(Text("Nothing was changed, but: {rows}", rows=cannot_be_read(damaged)))
    text = Text.counted("{count} sealed batch, unchanged.", "{count} sealed batches, all unchanged.", count=batches)
    page = [output.prose(text), *_last_seal(line)]
    if against is not None:
        page.append(output.prose(Text("The seal that was kept is among them.")))
    call.emit({"batches": batches, "line": line}, *page)


@journal.command("export", short_help="Print all events as JSON Lines.", exits=_UNCHANGED)
def export(call: CliContext) -> None:
    """Print all events, one JSON object a line: who did what and when.

    They hold no wording and no address. The journal is verified first, and
    records who exported it.

    \b
    Examples:
      policenotify journal export > events.jsonl
    """
    with call.journal() as (_, opened):
        opened.authorize(call.actor, "export")
        opened.audit.verify()
        for event in opened.audit.export():
            click.echo(json_text(event, indent=None))
        opened.audit.record(call.actor, "exported", {})


@journal.command(
    "move",
    short_help="Move it to another database, as from a file to a server.",
    exits="1 settings or keys wrong; 6 it was not moved",
)
@click.argument("to")
def move(call: CliContext, to: str) -> None:
    """Move the journal with all its content TO a path or URL that holds none.

    It is moved as a whole or not at all, and the sealed batches are verified
    there. The old journal is closed for good and names the new place, so that
    no process delivers from both. Processes that write meanwhile wait. No post
    may be under way.

    Then put the new place into the settings, on every machine.

    \b
    Examples:
      policenotify journal move postgresql://policenotify@db.example/desk
      policenotify journal move back.db
    """
    settings = call.read_settings()
    with call.journal() as (_, opened):
        opened.authorize(call.actor, "move")
    to = to if "://" in to else str(Path(to).absolute())
    copied = move_journal(settings.journal_url, to, keys=settings.load_keys(), actor=call.actor)
    rows, place = {name.removeprefix("pn_"): count for name, count in copied.items()}, without_password(to)
    page: list[Part] = [
        output.line(Text("The journal is at {to} now.", to=place), style="bold"),
        output.paragraph(Text.counted("{count} row copied", "{count} rows copied", count=sum(rows.values()))),
        output.prose(Text("Put it into the settings of every machine (journal = …), then: policenotify doctor")),
    ]
    call.emit({"to": place, "rows": rows, "actor": call.actor}, *page)


@journal.command(
    "restored",
    short_help="Mark a journal that was restored from a copy.",
    exits="6 no journal",
)
def restored(call: CliContext) -> None:
    """Mark a journal that was restored from a copy, or a server that has become the primary one.

    Run it once, before anything publishes or delivers again. What is open in
    the copy may have been sent since the copy was made. It counts as in
    doubt: the network is asked first. Where it cannot be asked, on_unknown
    decides. What was published since is not in the copy: read your accounts.

    \b
    Examples:
      policenotify journal restored
    """
    with call.journal() as (_, opened):
        doubted = opened.mark_restored(call.actor)
    text = Text("Marked as restored. {doubted} open deliveries count as in doubt.", doubted=doubted)
    call.emit({"deliveries": doubted, "actor": call.actor}, output.prose(text))


@command("rotate-keys", exits="1 settings or keys wrong; 6 no journal")
def rotate_keys(call: CliContext) -> None:
    """Make new encryption and signing keys, and encrypt all addresses and sessions again.

    Events so far are sealed first. The keys file keeps the earlier keys, which
    still decrypt and verify what they made. Processes with the earlier file
    publish and deliver nothing any more: stop them before, then copy the file
    to every machine and start them again.

    \b
    Examples:
      policenotify rotate-keys
    """
    actor = call.actor
    with call.journal() as (settings, opened):
        opened.authorize(actor, "rotate")  # before any file changes
        steps = []
        try:
            opened.audit.seal()
        except JournalError as error:  # after an intrusion, new keys are needed all the more
            steps.append(Text("Not sealed before the rotation: {error}", error=error))
        newer = opened.keys.rotated(secrets.token_bytes)
        newer.replace(settings.keys_path)
        sealed = opened.rotate_keys(newer, actor)
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
