"""`policenotify draft`, `submit`, `approve`, `return`, `reject`, `drafts` and `withdraw`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta, tzinfo
from typing import TYPE_CHECKING

import click

from policenotify.cli import completion
from policenotify.cli.context import CliContext, Seconds, common, pass_context, printable_name
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.cli.options import Typed, opening_options, single_value, to_option
from policenotify.cli.usage import UsageError, typed_reason
from policenotify.translation import AnyText, Text

if TYPE_CHECKING:
    from policenotify.cli.output import Part
    from policenotify.model.draft import Draft
    from policenotify.model.message import Message
    from policenotify.publishing.publisher import Publisher

_EXITS = exit_codes("1 nothing was changed; 6 no journal")
_SHORTEST_DIGEST = 32  # characters: an author can make two messages that agree in a few, as in 16

_draft = click.argument("draft", shell_complete=completion.open_drafts)
_digest = single_value(
    "--digest", metavar="DIGEST", required=True, help="Digest of what you read: policenotify drafts DRAFT."
)
_reason = single_value("--reason", metavar="TEXT", help="Why, in your own words.")
_wait = single_value("--wait", type=Seconds(min=0), metavar="SECONDS", help="How long to wait for the networks.")


@click.command("draft", epilog=_EXITS)
@opening_options
@to_option
@single_value("--revises", metavar="DRAFT", help="A new version of this draft.", shell_complete=completion.open_drafts)
@single_value("--key", metavar="KEY", help="The key under which it is published.  [default: a new one]")
@common
@pass_context
def draft(call: CliContext, /, to: tuple[str, ...], revises: str | None, key: str | None, **typed: object) -> Exit:
    """Store an opening or standalone message that others read before it is published.

    Nothing is sent. Then submit it. Updates and corrections: policenotify update … --submit.

    \b
    Examples:
      policenotify draft message.json
      policenotify draft --category witness_appeal --commune 34172 \\
          --headline "Appel à témoins" --instruction "Appelez le 17."
      policenotify draft message.json --revises 01KJPKTHJ05RY0M0Y11SW8SXYJ
    """
    from policenotify.cli.message import first_message

    key = printable_name("--key", key) if key is not None else None

    def step(publisher: Publisher) -> Draft:
        message = first_message(typed, publisher)
        if revises is not None:
            if to or key:
                raise UsageError(Text("Channels and key of a draft do not change: leave out --to and --key."))
            return publisher.drafts.revise(revises, message, actor=call.actor)
        return publisher.drafts.create(message, actor=call.actor, key=key, to=to or None)

    return _step(call, step)


@click.command("submit", epilog=_EXITS)
@_draft
@_reason
@common
@pass_context
def submit(call: CliContext, /, *, draft: str, reason: str | None) -> Exit:
    """Submit a draft to its readers.

    \b
    Examples:
      policenotify submit 01KJPKTHJ05RY0M0Y11SW8SXYJ
      policenotify submit 01KJPKTHJ05RY0M0Y11SW8SXYJ \\
          --reason "Le parquet est d'accord, réf. 12."
    """
    return _step(call, lambda publisher: publisher.drafts.submit(draft, actor=call.actor, reason=reason or ""), draft)


@click.command("approve", epilog=exit_codes("1 not approved; 3 a channel needs attention; 6 no journal"))
@_draft
@single_value("--digest", metavar="DIGEST", help="Digest of what you read: policenotify drafts DRAFT.")
@click.option("--second", is_flag=True, help="The second reading of an urgent publication: nothing to change.")
@click.option("--only", is_flag=True, help="Approve it only: it is published later, by hand.")
@_reason
@_wait
@common
@pass_context
def approve(  # the options of one command
    call: CliContext,
    /,
    *,
    draft: str,
    digest: str | None,
    second: bool,
    only: bool,
    reason: str | None,
    wait: float | None,
) -> Exit:
    """Approve a draft that others wrote. The last approval that it needs publishes it.

    \b
    Examples:
      policenotify drafts 01KJPKTHJ05RY0M0Y11SW8SXYJ
      policenotify approve 01KJPKTHJ05RY0M0Y11SW8SXYJ \\
          --digest 3f9a7c21b04e8d5561f0a2c9e7b3d418
      policenotify approve 01KJPKTHJ05RY0M0Y11SW8SXYJ --second
    """
    span = None if wait is None else timedelta(seconds=wait)

    def step(publisher: Publisher) -> Draft:
        drafts = publisher.drafts
        if second:
            return drafts.second_reading(draft, actor=call.actor, reason=reason or "")
        if digest is None:
            raise UsageError(Text("Give the --digest of what you read: policenotify drafts DRAFT."))
        call.message, whole = drafts.get(draft).message, _whole(publisher, draft, digest)
        return drafts.approve(draft, digest=whole, actor=call.actor, reason=reason or "", publish=not only, wait=span)

    return _step(call, step)


@click.command("return", epilog=_EXITS)
@_draft
@_digest
@_reason
@common
@pass_context
def return_(call: CliContext, /, *, draft: str, digest: str, reason: str | None) -> Exit:
    """Return a draft to its author, who changes it and submits it again.

    \b
    Examples:
      policenotify return 01KJPKTHJ05RY0M0Y11SW8SXYJ \\
          --digest 3f9a7c21b04e8d5561f0a2c9e7b3d418 \\
          --reason "Retirez le nom de la rue."
    """
    return _step(
        call,
        lambda publisher: publisher.drafts.return_to_author(
            draft, digest=_whole(publisher, draft, digest), actor=call.actor, reason=reason or ""
        ),
    )


@click.command("reject", epilog=_EXITS)
@_draft
@single_value("--digest", metavar="DIGEST", help="Digest of what you read: policenotify drafts DRAFT.")
@click.option("--second", is_flag=True, help="The second reading of an urgent publication: it must be changed.")
@_reason
@common
@pass_context
def reject(call: CliContext, /, *, draft: str, digest: str | None, second: bool, reason: str | None) -> Exit:
    """Reject a draft for good, or object to an urgent publication.

    An objection changes nothing by itself: correct or cancel what is published.

    \b
    Examples:
      policenotify reject 01KJPKTHJ05RY0M0Y11SW8SXYJ \\
          --digest 3f9a7c21b04e8d5561f0a2c9e7b3d418 \\
          --reason "L'enquête en souffrirait."
      policenotify reject 01KJPKTHJ05RY0M0Y11SW8SXYJ --second \\
          --reason "Le nom est de trop."
    """

    def step(publisher: Publisher) -> Draft:
        if second:
            return publisher.drafts.second_reading(draft, actor=call.actor, objects=True, reason=reason or "")
        if digest is None:
            raise UsageError(Text("Give the --digest of what you read: policenotify drafts DRAFT."))
        whole = _whole(publisher, draft, digest)
        return publisher.drafts.reject(draft, digest=whole, actor=call.actor, reason=reason or "")

    return _step(call, step)


@click.command("drafts", epilog=exit_codes("1 there is none of that name; 4 a second reading is overdue; 6 no journal"))
@click.argument("draft", required=False, shell_complete=completion.open_drafts)
@click.option("--all", "everything", is_flag=True, help="Also those that are published or closed.")
@common
@pass_context
def drafts(call: CliContext, /, *, draft: str | None, everything: bool) -> Exit:
    """Show the drafts, or one as its readers would read it.

    \b
    Examples:
      policenotify drafts
      policenotify drafts 01KJPKTHJ05RY0M0Y11SW8SXYJ
    """
    from policenotify.cli import output
    from policenotify.cli.results import DraftResult, DraftsAnswer

    with closing(call.publisher()) as publisher:
        if draft is not None:
            found = publisher.drafts.get(draft)
            posts = list(_as_read(found, publisher)) if found.state.is_open and not call.json else []
            call.emit(DraftResult.of(found), *draft_lines(found, publisher), *posts)
            return Exit.OK
        known, now = publisher.drafts.list(only_open=not everything), publisher.journal.now()
        overdue = sum(one.second_due_at is not None and one.second_due_at <= now for one in known)
        page: list[Part] = [line for one in known for line in draft_lines(one, publisher)]
        answer = DraftsAnswer(at=now, overdue=overdue, drafts=tuple(map(DraftResult.of, known)))
        call.emit(answer, *(page or [output.prose(Text("There is no draft."))]))
    return Exit.OVERDUE if overdue else Exit.OK


@click.command("withdraw", epilog=exit_codes("1 nothing was changed; 3 a post is still there; 6 no journal"))
@click.argument("which", metavar="DRAFT|PUBLICATION|KEY")
@_reason
@_wait
@common
@pass_context
def withdraw(call: CliContext, /, *, which: str, reason: str | None, wait: float | None) -> Exit:
    """Take back a draft, or delete the posts of one publication with their pictures.

    Only where the network can delete; mails and SMS cannot be taken back. Whatever of it still waits is not sent. Its
    incident goes on, and its readers learn nothing: for them, correct or cancel it.

    \b
    Examples:
      policenotify withdraw 01KJPKTHJ05RY0M0Y11SW8SXYJ \\
          --reason "La personne est retrouvée."
    """
    from policenotify.channel import Operation
    from policenotify.cli import output
    from policenotify.cli.lookup import find_publication
    from policenotify.cli.results import WithdrawAnswer
    from policenotify.model.documents import PublicationResult
    from policenotify.model.history import Outcome

    with closing(call.publisher()) as publisher:
        known = publisher.journal.drafts.get(which)
        if known is not None and known.publication is None:
            done = publisher.drafts.withdraw(which, actor=call.actor, reason=reason or "")
            return _shown(call, done, publisher)
        found = find_publication(publisher.journal, which, publisher.installation.zone)
        span = None if wait is None else timedelta(seconds=wait)
        with typed_reason():
            publication = publisher.withdraw(found.id, actor=call.actor, reason=reason or "", wait=span)
        may_be_out = {Outcome.POSTED, Outcome.SENDING, Outcome.UNCONFIRMED, Outcome.HELD}
        posts = [receipt for receipt in publication if receipt.operation is not Operation.DELETE]
        left = sorted({receipt.channel for receipt in posts if receipt.outcome in may_be_out})
        text = Text("Still out, or perhaps: {left}. Delete it there by hand, or correct it.", left=", ".join(left))
        text = text if left else Text("None of its posts is out.")
        answer = WithdrawAnswer(publication=PublicationResult.of(publication), still_out=tuple(left))
        call.emit(answer, output.line(text, "bold"), *output.receipts(publication, publisher.installation.zone))
    return Exit.ATTENTION if left or not publication.ok else Exit.OK


def submit_message(
    call: CliContext, publisher: Publisher, message: Message, typed: Typed, *, key: str, to: tuple[str, ...] | None
) -> Exit:
    """Store a message as a draft and submit it, instead of publishing it."""
    from policenotify.errors import IdempotencyConflict

    try:
        made = publisher.drafts.create(message, actor=call.actor, key=key, to=to)
    except IdempotencyConflict:
        if typed["key"] is not None:
            raise
        made = publisher.drafts.get(key)  # only what +30m means has changed
    with typed_reason():
        made = publisher.drafts.submit(made.id, actor=call.actor, reason=typed["reason"] or "")
    return _shown(call, made, publisher)


def _step(call: CliContext, step: Callable[[Publisher], Draft], named: str = "") -> Exit:
    with closing(call.publisher()) as publisher:
        if named:
            call.message = publisher.drafts.get(named).message
        with typed_reason():
            done = step(publisher)
        return _shown(call, done, publisher)


def _shown(call: CliContext, draft: Draft, publisher: Publisher) -> Exit:
    from policenotify.cli import output
    from policenotify.cli.results import DraftResult

    published = publisher.operations.publication(draft.publication) if draft.publication else None
    receipts = list(output.receipts(published, publisher.installation.zone)) if published else []
    call.emit(DraftResult.of(draft), *draft_lines(draft, publisher), *receipts)
    return Exit.OK if published is None or published.ok else Exit.ATTENTION


def _whole(publisher: Publisher, name: str, digest: str) -> str:
    """Return the digest of a draft of which the beginning was typed. Another one is refused later."""
    known = publisher.drafts.get(name).digest
    return known if len(digest) >= _SHORTEST_DIGEST and known.startswith(digest.lower()) else digest


def _as_read(draft: Draft, publisher: Publisher) -> Iterator[Part]:
    """Yield the posts as their readers would read them."""
    from dataclasses import replace

    from policenotify.cli.commands.preview import preview_lines
    from policenotify.findings import APPROVAL_MISSING

    preview = publisher.preview(draft.message, to=draft.to or None, count_people=True)
    others = tuple(finding for finding in preview.findings if finding.code != APPROVAL_MISSING)
    yield from preview_lines(replace(preview, findings=others), publisher, allowed=True)


def draft_lines(draft: Draft, publisher: Publisher) -> Iterator[Part]:
    """Yield a draft as a person reads it: what it is, who read it, and the next command."""
    from policenotify.cli import output
    from policenotify.model.receipt import local_time

    zone, message = publisher.installation.zone, draft.message
    about: AnyText = message.stage
    if message.incident:
        about = Text("{stage} of {incident}", stage=message.stage, incident=message.incident)
    what = Text("Draft {id}: {state}", id=draft.id, state=draft.state)
    yield output.line(Text.join(" · ", (what, message.category, about)), "bold")
    yield output.quoted(message.headline)
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
    for step, mark in _next_step(draft, zone):
        yield output.paragraph(step, mark)


def _next_step(draft: Draft, zone: tzinfo) -> Iterator[tuple[AnyText, str]]:
    """Yield what may be done with a draft now, and the mark before it."""
    from policenotify.model.draft import DraftState
    from policenotify.model.receipt import local_time

    command = "→ "
    if draft.second_due_at is not None:
        yield (
            Text("Its second reading is owed by {second_due_at}.", second_due_at=local_time(draft.second_due_at, zone)),
            "",
        )
        yield Text("policenotify approve {id} --second, or policenotify reject {id} --second", id=draft.id), command
    elif draft.state is DraftState.SUBMITTED and draft.expires_at is not None:
        yield Text("It waits for its readers until {expires_at}.", expires_at=local_time(draft.expires_at, zone)), ""
        digest = draft.digest[:_SHORTEST_DIGEST]
        if draft.reason:  # a finding asked its author for one, and may ask its reader
            yield (
                Text('policenotify approve {id} --digest {digest} --reason "WHY"', id=draft.id, digest=digest),
                command,
            )
        else:
            yield f"policenotify approve {draft.id} --digest {digest}", command
    elif draft.for_keys and draft.state is DraftState.APPROVED and draft.expires_at is not None:
        yield Text("Its approval counts until {expires_at}.", expires_at=local_time(draft.expires_at, zone)), ""
    elif draft.state is DraftState.APPROVED:
        yield f"policenotify publish --draft {draft.id}", command
    elif draft.state is DraftState.DRAFT:
        yield f"policenotify submit {draft.id}", command
    elif draft.state is DraftState.RETURNED:
        yield f"policenotify draft … --revises {draft.id}", command
