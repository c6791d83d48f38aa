"""What becomes of a message that is said from the command line, and how that is told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from datetime import timedelta

from rich.console import RenderableType
from rich.text import Text

from policenotify.cli import output, typed_times
from policenotify.cli.context import CliContext, printable_name
from policenotify.cli.exit_codes import Exit
from policenotify.cli.message import Typed, default_key, first_message, next_message, spans_of
from policenotify.errors import IdempotencyConflict
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.model.receipt import Publication
from policenotify.publishing.publisher import Publisher

_TOLD = {
    "yes": "Published.",
    "partly": "Published, but not everywhere.",
    "no": "Written down, but on no channel yet.",
    "unknown": "Written down; whether it is out everywhere is not known yet.",
}


def say_first(call: CliContext, typed: Typed, to: tuple[str, ...]) -> Exit:
    """Publish an opening or a standalone message."""
    return _say(call, typed, lambda publisher: first_message(typed, publisher), to=to or None)


def say_next(call: CliContext, stage: Stage, which: str, headline: str | None, typed: Typed) -> Exit:
    """Publish what follows."""
    return _say(call, typed, lambda publisher: next_message(stage, which, headline, typed, publisher))


def _say(
    call: CliContext, typed: Typed, made: Callable[[Publisher], Message], *, to: tuple[str, ...] | None = None
) -> Exit:
    with closing(call.publisher()) as publisher:
        message = made(publisher)
        moments = typed_times.understood(typed, message, now=publisher.journal.now(), zone=publisher.zone)
        spans, actor = spans_of(typed), call.actor
        key = printable_name("--key", typed["key"]) if typed["key"] is not None else default_key(message, spans)
        wait = None if typed["wait"] is None else timedelta(seconds=typed["wait"])
        call.begun = True
        try:
            publication = publisher.publish(message, key=key, actor=actor, to=to, wait=wait)
        except IdempotencyConflict:
            first = publisher.publication(key)
            if typed["key"] is not None or first is None:
                raise
            # Word for word the same, but for what +30m meant then and means now.
            publication = first.model_copy(update={"repeated": True})
        concerned = {receipt.channel for receipt in publication}
        faults = {name: fault for name, fault in publisher.channel_problems().items() if name in concerned}
        document = {
            "repeated": publication.repeated,
            "publication": output.document(publication),
            "times": [] if publication.repeated else typed_times.document(moments),
            "faults": {name: asdict(fault) for name, fault in faults.items()},
        }
        told = () if publication.repeated else typed_times.page(moments)
        # A receipt tells by itself what keeps it waiting.
        waiting = {receipt.channel for receipt in publication if receipt.unrendered}
        more = [output.paragraph(str(fault), "! ") for name, fault in faults.items() if name not in waiting]
        call.emit(document, *_page(publication, publisher), *more, *told)
    return Exit.OK if publication.ok and not faults else Exit.ATTENTION


def _page(publication: Publication, publisher: Publisher) -> list[RenderableType]:
    told = _TOLD[output.published(publication)]
    if output.published(publication) == "no" and all(receipt.outcome.is_final for receipt in publication):
        told = "Written down, but it goes out on no channel."
    if publication.repeated:
        told = (
            f"Already published at {output.moment(publication.at, publisher.zone)} by {publication.actor}: nothing was "
            "said a second time. To say the same again on purpose, give another --key."
        )
    about = [output.line(f"Publication: {publication.id}")]
    if publication.incident:
        about.append(output.line(f"Incident: {publication.incident}"))
    if (corrects := publication.message.lifecycle.corrects) and (wrong := publisher.publication(corrects)):
        about.append(output.line(f"It is about: {wrong.id} · {output.about(wrong, publisher.zone)}"))
    return [Text(told, style="bold"), *about, *output.receipts(publication, publisher.zone)]
