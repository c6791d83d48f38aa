"""`policenotify approve`, `return`, `reject`, `drafts`, `withdraw` and `import-cap`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import tzinfo
from typing import BinaryIO

import click

from policenotify.cli import completion, output
from policenotify.cli.commands.preview import preview_lines
from policenotify.cli.context import CliContext, command, printable_name
from policenotify.cli.exit_codes import Exit
from policenotify.cli.keys import default_key
from policenotify.cli.message import category_words
from policenotify.cli.options import Typed, single_value, wait_option
from policenotify.cli.output import Part
from policenotify.cli.usage import UsageError, typed_reason
from policenotify.cli.words import code_of
from policenotify.errors import IdempotencyConflict
from policenotify.findings import APPROVAL_MISSING
from policenotify.formats.cap.reader import MAX_BYTES
from policenotify.model.draft import Draft, DraftState
from policenotify.model.history import Outcome
from policenotify.model.message import Message
from policenotify.model.post import Operation
from policenotify.model.receipt import Publication, counted, local_time
from policenotify.publishing.alerts import import_alert
from policenotify.publishing.operations import find_publication
from policenotify.publishing.publisher import Publisher
from policenotify.translation import Text

_EXITS = "1 nothing was changed; 6 no journal"
_SHORTEST_DIGEST = 32  # characters: an author can make two messages that agree in a few, as in 16

_NEXT = {
    DraftState.DRAFT: "policenotify publish {id} --submit",
    DraftState.SUBMITTED: "policenotify approve {id}",
    DraftState.RETURNED: "policenotify publish … --revises {id}",
    DraftState.APPROVED: "policenotify publish {id}",
}
_MAY_BE_OUT = frozenset({Outcome.POSTED, Outcome.SENDING, Outcome.UNCONFIRMED, Outcome.HELD})

_draft = click.argument("draft")
_digest = single_value("--digest", metavar="DIGEST", help="Digest of what you read: policenotify drafts DRAFT.")
_reason = single_value("--reason", metavar="TEXT", help="Why, in your own words.")


@command("approve", exits="1 not approved; 3 a channel needs attention; 6 no journal")
@_draft
@_digest
@click.option("--only", is_flag=True, help="Approve it only: it is published later, by hand.")
@_reason
@wait_option
def approve(
    call: CliContext, /, *, draft: str, digest: str | None, only: bool, reason: str | None, wait: float | None
) -> Exit:
    """Approve a draft that others wrote. The last approval that it needs publishes it.

    At a terminal it shows the posts as their readers would read them, and asks. Elsewhere give the --digest of what
    was read. Of an urgent publication it records the second reading: nothing to change.

    \b
    Examples:
      policenotify approve 01KJPKTHJ05RY0M0Y11SW8SXYJ
      policenotify approve 01KJPKTHJ05RY0M0Y11SW8SXYJ \\
          --digest 3f9a7c21b04e8d5561f0a2c9e7b3d418
    """
    with _reading(call, draft, digest, Text("Approve it? yes or no")) as (publisher, known, read):
        drafts, actor, why = publisher.drafts, call.actor, reason or ""
        if known.second_due_at is not None:
            done = drafts.second_reading(known.id, actor=actor, reason=why)
        else:
            done = drafts.approve(known.id, digest=read, actor=actor, reason=why, publish=not only, wait=wait)
        return show_draft(call, done, publisher)


@command("return", exits=_EXITS)
@_draft
@_digest
@_reason
def return_(call: CliContext, /, *, draft: str, digest: str | None, reason: str | None) -> Exit:
    """Return a draft to its author, who changes it and submits it again.

    \b
    Examples:
      policenotify return 01KJPKTHJ05RY0M0Y11SW8SXYJ \\
          --reason "Retirez le nom de la rue."
    """
    with _reading(call, draft, digest, Text("Return it to its author? yes or no")) as (publisher, known, read):
        done = publisher.drafts.return_to_author(known.id, digest=read, actor=call.actor, reason=reason or "")
        return show_draft(call, done, publisher)


@command("reject", exits=_EXITS)
@_draft
@_digest
@_reason
def reject(call: CliContext, /, *, draft: str, digest: str | None, reason: str | None) -> Exit:
    """Reject a draft for good, or object to an urgent publication.

    An objection changes nothing by itself: correct or cancel what is published.

    \b
    Examples:
      policenotify reject 01KJPKTHJ05RY0M0Y11SW8SXYJ \\
          --digest 3f9a7c21b04e8d5561f0a2c9e7b3d418 \\
          --reason "L'enquête en souffrirait."
    """
    with _reading(call, draft, digest, Text("Reject it? yes or no")) as (publisher, known, read):
        drafts, actor, why = publisher.drafts, call.actor, reason or ""
        if known.second_due_at is not None:
            done = drafts.second_reading(known.id, actor=actor, objects=True, reason=why)
        else:
            done = drafts.reject(known.id, digest=read, actor=actor, reason=why)
        return show_draft(call, done, publisher)


@command("drafts", exits="1 there is none of that name; 4 a second reading is overdue; 6 no journal")
@click.argument("draft", required=False)
@click.option("--all", "everything", is_flag=True, help="Also those that are published or closed.")
def drafts(call: CliContext, /, *, draft: str | None, everything: bool) -> Exit:
    """Show the drafts, or one as its readers would read it.

    \b
    Examples:
      policenotify drafts
      policenotify drafts 01KJPKTHJ05RY0M0Y11SW8SXYJ
    """
    with call.publisher() as publisher:
        if draft is not None:
            found = publisher.drafts.get(draft)
            posts = list(_as_read(found, publisher)) if found.state.is_open and not call.json else []
            call.emit(found, *draft_lines(found, publisher), *posts)
            return Exit.OK
        known, now = publisher.drafts.list(only_open=not everything), publisher.journal.now()
        overdue = sum(one.second_due_at is not None and one.second_due_at <= now for one in known)
        page: list[Part] = [line for one in known for line in draft_lines(one, publisher)]
        answer = {"at": now, "overdue": overdue, "drafts": known}
        call.emit(answer, *(page or [output.prose(Text("There is no draft."))]))
    return Exit.OVERDUE if overdue else Exit.OK


@command("withdraw", exits="1 nothing was changed; 3 a post is still there; 6 no journal")
@click.argument("which", metavar="DRAFT|INCIDENT|PUBLICATION|KEY")
@_reason
@wait_option
@click.option("--yes", is_flag=True, help="Withdraw what is named without asking, as from a script.")
def withdraw(call: CliContext, /, *, which: str, reason: str | None, wait: float | None, yes: bool) -> Exit:
    """Take back a draft, or delete the posts of one publication with their pictures.

    An incident's id means its last publication. What it is and where is shown first, and asked. Mails and SMS cannot
    be taken back. Whatever of it still waits is not sent. Its incident goes on, and its readers learn nothing: for
    them, correct or cancel it.

    \b
    Examples:
      policenotify withdraw 01KJPKTHJ05RY0M0Y11SW8SXYJ \\
          --reason "La personne est retrouvée."
    """
    reason = reason or ""
    with call.publisher() as publisher:
        known = publisher.journal.drafts.get(which)
        if known is not None and known.publication is None:
            done = publisher.drafts.withdraw(known.id, actor=call.actor, reason=reason)
            return show_draft(call, done, publisher)
        zone = publisher.installation.zone
        found = publisher.operations.publication(find_publication(publisher.journal, which, zone).id)
        assert found is not None  # noqa: S101 - it was just there
        about = list(_to_withdraw(found, publisher))
        if not yes:
            named = Text("To withdraw it, add --yes: {about}", about=output.about(found, zone))
            call.ask(about, Text("Withdraw it? yes or no"), otherwise=named)
        with typed_reason():
            publication = publisher.withdraw(found.id, actor=call.actor, reason=reason, wait=wait)
        posts = [receipt for receipt in publication if receipt.operation is not Operation.DELETE]
        left = sorted({receipt.channel for receipt in posts if receipt.outcome in _MAY_BE_OUT})
        text = Text("Still out, or perhaps: {left}. Delete it there by hand, or correct it.", left=", ".join(left))
        text = text if left else Text("None of its posts is out.")
        call.emit(
            {"publication": publication, "still_out": left},
            *about,
            output.line(text, "bold"),
            *output.receipts(publication, zone),
        )
    return Exit.ATTENTION if left or not publication.ok else Exit.OK


def _to_withdraw(publication: Publication, publisher: Publisher) -> Iterator[Part]:
    """Yield which publication it is, where it may be out, and what cannot be taken back."""
    yield output.heading(publication, publisher.installation.zone)
    configs = publisher.installation.channel_configs
    for receipt in publication:
        if receipt.outcome not in _MAY_BE_OUT or receipt.operation is Operation.DELETE:
            continue
        yield output.line(f"  {receipt.channel} ({receipt.language})")
        if people := (receipt.recipients or {}).get(Outcome.POSTED, 0):
            yield output.paragraph(Text("It cannot be taken back: {people}.", people=counted(Outcome.POSTED, people)))
        elif receipt.channel not in configs or not configs[receipt.channel].capabilities.deletes:
            yield output.paragraph(Text("It cannot be deleted here, only by hand."))


def store_draft(
    call: CliContext, publisher: Publisher, message: Message, typed: Typed, *, to: tuple[str, ...] | None
) -> Exit:
    """Store a message as a draft instead of publishing it, and submit it if that was typed."""
    drafts, actor = publisher.drafts, call.actor
    if typed["urgent"] or typed["wait"] is not None:
        raise UsageError(Text("A draft is not published: leave out --urgent and --wait."))
    if typed["revises"]:
        if to or typed["key"]:
            raise UsageError(Text("Channels and key of a draft do not change: leave out --to and --key."))
        made = drafts.revise(typed["revises"], message, actor=actor)
    else:
        typed_key = typed["key"] and printable_name("--key", typed["key"])
        key = typed_key or default_key(message, typed, publisher)
        try:
            made = drafts.create(message, actor=actor, key=key, to=to)
        except IdempotencyConflict:
            if typed_key:
                raise
            made = drafts.get(key)  # only what +30m means has changed
    if typed["submit"]:
        with typed_reason():
            made = drafts.submit(made.id, actor=actor, reason=typed["reason"] or "")
    return show_draft(call, made, publisher)


def show_draft(call: CliContext, draft: Draft, publisher: Publisher) -> Exit:
    """Answer with a draft after a step, and with the receipts of its publication."""
    published = publisher.operations.publication(draft.publication) if draft.publication else None
    receipts = list(output.receipts(published, publisher.installation.zone)) if published else []
    call.emit(draft, *draft_lines(draft, publisher), *receipts)
    return Exit.OK if published is None or published.ok else Exit.ATTENTION


@contextmanager
def _reading(call: CliContext, name: str, digest: str | None, question: Text) -> Iterator[tuple[Publisher, Draft, str]]:
    """Yield a draft and the digest of what was read: typed, or of what is shown at the terminal now."""
    with call.publisher() as publisher:
        known = publisher.drafts.get(name)
        call.message = known.message
        if digest is None:
            otherwise = Text("Give the --digest of what you read: policenotify drafts DRAFT.")
            call.ask([*draft_lines(known, publisher), *_as_read(known, publisher)], question, otherwise=otherwise)
            digest = known.digest
        if len(digest) < _SHORTEST_DIGEST:
            raise UsageError(Text("Give at least {count} characters of the --digest.", count=_SHORTEST_DIGEST))
        with typed_reason():
            yield publisher, known, known.digest if known.digest.startswith(digest.lower()) else digest


def _as_read(draft: Draft, publisher: Publisher) -> Iterator[Part]:
    """Yield the posts as their readers would read them, or where they read them."""
    if draft.publication and (published := publisher.operations.publication(draft.publication)):
        yield from output.receipts(published, publisher.installation.zone)
        return
    preview = publisher.preview(draft.message, to=draft.to or None, count_people=True)
    others = tuple(finding for finding in preview.findings if finding.code != APPROVAL_MISSING)
    yield from preview_lines(replace(preview, findings=others), publisher, allowed=True)


def draft_lines(draft: Draft, publisher: Publisher) -> Iterator[Part]:
    """Yield a draft as a person reads it: what it is, who read it, and the next command."""
    zone, message = publisher.installation.zone, draft.message
    what = Text("Draft {id}: {state}", id=draft.id, state=draft.state)
    yield output.line(Text.join(" · ", (what, message.category, output.stage(message))), "bold")
    yield output.paragraph(message.headline)
    yield output.paragraph(
        Text(
            "Written by {authors}. Revision {revision}, digest {digest}",
            authors=", ".join(draft.authors),
            revision=draft.revision,
            digest=draft.digest[:_SHORTEST_DIGEST],
        )
    )
    if draft.for_keys:
        yield output.paragraph(
            Text("For every publication with a key that begins so: {for_keys}", for_keys=draft.for_keys)
        )
    for review in draft.reviews:
        said = f": {review.reason}" if review.reason else ""
        text = Text(
            "{at} · {reader}: {verdict} of revision {revision}{said}",
            at=local_time(review.at, zone),
            reader=review.reader,
            verdict=review.verdict,
            revision=review.revision,
            said=said,
        )
        yield output.paragraph(text)
    if draft.reason:
        yield output.paragraph(Text("To the readers: {reason}", reason=draft.reason))
    if draft.urgent:
        yield output.paragraph(
            Text("Published urgently by {published_by}: {urgent}", published_by=draft.published_by, urgent=draft.urgent)
        )
    if draft.publication:
        yield output.paragraph(Text("Publication: {publication}", publication=draft.publication))
    yield from _next_step(draft, zone)


def _next_step(draft: Draft, zone: tzinfo) -> Iterator[Part]:
    """Yield what may be done with a draft now."""
    due, expires = draft.second_due_at, draft.expires_at
    if due is not None:
        yield output.paragraph(
            Text("Its second reading is owed by {second_due_at}.", second_due_at=local_time(due, zone))
        )
        yield output.paragraph(Text("policenotify approve {id}, or policenotify reject {id}", id=draft.id), "→ ")
        return
    if draft.state is DraftState.SUBMITTED and expires is not None:
        yield output.paragraph(
            Text("It waits for its readers until {expires_at}.", expires_at=local_time(expires, zone))
        )
    if draft.for_keys and draft.state is DraftState.APPROVED and expires is not None:
        yield output.paragraph(Text("Its approval counts until {expires_at}.", expires_at=local_time(expires, zone)))
    elif draft.state in _NEXT:
        yield output.paragraph(_NEXT[draft.state].format(id=draft.id), "→ ")


@command("import-cap", exits="1 nothing was stored; 6 no journal")
@click.argument("alert", type=click.File("rb"), metavar="FILE")
@single_value("--category", metavar="CODE", help="The category.", shell_complete=completion.categories)
def import_cap(call: CliContext, /, *, alert: BinaryIO, category: str | None) -> None:
    """Store a CAP 1.2 alert of another service as a draft.

    Nothing is sent. Read the draft, then submit or publish it. The same alert has the same draft. An update, end or
    cancellation finds the incident of the alert that it names. FILE - is standard input.

    \b
    Examples:
      policenotify import-cap vigilance.xml
      curl -s https://alertes.example/4711.xml | policenotify import-cap -
    """
    content = alert.read(MAX_BYTES)
    settings = call.read_settings()
    with call.publisher() as publisher:
        language = settings.language or "fr"
        if category:
            category = code_of(category, category_words(publisher.installation.profiles), param_hint="--category")
        done = import_alert(publisher, content, actor=call.actor, category=category, language=language)
        page: list[Part] = list(draft_lines(done.draft, publisher))
        if done.known:
            page.append(output.paragraph(Text("The alert was imported before: this is its draft.")))
        for finding in done.findings:
            page += [output.paragraph(finding.reason), output.paragraph(finding.remedy, "→ ")]
        call.emit(done, *page)
