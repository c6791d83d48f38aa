"""`policenotify preview`: how it would read, on each channel, before anything is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from typing import Any

import click
from rich.box import HORIZONTALS
from rich.console import RenderableType
from rich.panel import Panel
from rich.text import Text

from policenotify.channel import Post
from policenotify.cli import completion, output, typed_times
from policenotify.cli.context import CliContext, common, pass_call, plain
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.cli.message import Typed, first_message, next_message
from policenotify.cli.options import beginning, once, to_option
from policenotify.cli.report.builder import draw
from policenotify.cli.report.file import PageFile, html_option
from policenotify.cli.report.source import Told
from policenotify.cli.typed_times import Understood
from policenotify.model.history import RenderedPost
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.publishing.publisher import Preview, Publisher

_KINDS = {"reply": "in the thread", "standalone": "alone", "further": "goes on"}
_FOLLOWING = {"update": Stage.UPDATE, "end": Stage.END, "correct": Stage.CORRECTION, "cancel": Stage.CANCELLATION}
_WIDTH = 80


@click.command(
    "preview", epilog=exit_codes("1 a check forbids it, or the course; 3 a channel cannot be used; 6 no journal")
)
@beginning
@to_option
@once("--update", metavar="INCIDENT", help="The update of this incident.", shell_complete=completion.open_incidents)
@once("--end", metavar="INCIDENT", help="The end of this incident.", shell_complete=completion.open_incidents)
@once("--correct", metavar="WHICH", help="A correction, as of `correct`.", shell_complete=completion.open_incidents)
@once("--cancel", metavar="WHICH", help="A cancellation, as of `cancel`.", shell_complete=completion.open_incidents)
@html_option
@common
@pass_call
def preview(call: CliContext, /, to: tuple[str, ...], html: str | None, **typed: Any) -> Exit:  # noqa: ANN401 - what was typed
    """Show each post as its readers would read it. Nothing is sent, nothing is written down.

    It exits with 1 if a check forbids the message, and with 3 if a channel that it is meant for cannot be used now.

    \b
    Examples:
      policenotify preview --category traffic_accident --commune 34172 \\
          --street "avenue de Toulouse" --instruction "Évitez le secteur." \\
          --headline "Accident de la circulation"
      policenotify preview --end 2026-4711 --headline "Fin d'intervention"
      policenotify preview message.json --json
      policenotify preview message.json --html preview.html
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    with ExitStack() as opened:
        file = opened.enter_context(PageFile(html)) if html else None
        publisher = opened.enter_context(closing(call.publisher()))
        message = _message(typed, publisher)
        moments = typed_times.understood(typed, message, now=publisher.journal.now(), zone=publisher.zone)
        seen = publisher.preview(message, to=to or None)
        call.emit(document(seen, publisher, moments), *page(seen, publisher), *typed_times.page(moments))
        if file:
            file.write(draw("preview", [Told(at=publisher.journal.now(), preview=seen)], publisher))
            click.echo(f"\n{file}", err=call.json)
    if not seen.allowed:
        return Exit.REJECTED
    return Exit.ATTENTION if seen.pending else Exit.OK


def document(seen: Preview, publisher: Publisher, moments: Sequence[Understood] = ()) -> dict[str, object]:
    """A preview as JSON has it, with what the times that were typed were taken for."""
    return {
        "allowed": seen.allowed,
        "message": seen.message.model_dump(mode="json", exclude_none=True),
        "findings": [asdict(finding) for finding in seen.findings],
        "posts": [_post(wording, publisher) for wording in seen.wordings],
        "pending": [
            {"channel": one.target.channel, "language": one.target.language, "reason": one.reason, "remedy": one.remedy}
            for one in seen.pending
        ],
        "refusals": [
            {"channel": leg.channel, "language": leg.language, "reason": leg.refused} for leg in seen.refusals
        ],
        "deletions": [{"channel": leg.channel, "language": leg.language} for leg in seen.deletions],
        "times": typed_times.document(moments),
    }


def _message(typed: Typed, publisher: Publisher) -> Message:
    named = [name for name in _FOLLOWING if typed[name]]
    if not named:
        return first_message(typed, publisher)
    begins = ("file", "category", "incident", "follows", "standalone", "exercise")
    if len(named) > 1 or any(typed[name] for name in begins):
        raise click.UsageError(f"Preview one message: --{named[0]} stands without FILE, --category or the like.")
    return next_message(_FOLLOWING[named[0]], typed[named[0]], typed["headline"], typed, publisher)


def _kinds(wording: RenderedPost) -> Iterator[tuple[str, Post]]:
    if wording.reply is not None:
        yield "reply", wording.reply
    yield "standalone", wording.standalone
    for post in wording.continuations:
        yield "further", post


def _post(wording: RenderedPost, publisher: Publisher) -> dict[str, object]:
    wordings = []
    for kind, post in _kinds(wording):
        used, limit = publisher.channels[wording.target.channel].capabilities.budget.usage(post.text)
        dumped = post.model_dump(mode="json", exclude={"schema_version", "key", "created_at", "variant"})
        wordings.append({"kind": kind, "used": used, "limit": limit, "post": dumped})
    leg = wording.target
    return {"channel": leg.channel, "language": leg.language, "omitted": wording.omitted, "wordings": wordings}


def page(seen: Preview, publisher: Publisher) -> Iterator[RenderableType]:
    """Each post as its readers would read it, and what the checks remark."""
    for wording in seen.wordings:
        for kind, post in _kinds(wording):
            capabilities = publisher.channels[wording.target.channel].capabilities
            how = f" · {_KINDS[kind]}" if wording.reply is not None or wording.continuations else ""
            target, length = wording.target, output.use(capabilities.budget, post.text)
            title = f"{target.channel} · {target.language}{how} · {length}"
            # Open at the sides: mails are wrapped at 78 columns, and a terminal has 80.
            body = _body(post, wording.target.channel, publisher)
            yield Panel(body, title=Text(title), title_align="left", width=_WIDTH, box=HORIZONTALS, padding=0)
        if publisher.channels[wording.target.channel].capabilities.acceptance == "unverified":
            yield output.paragraph(f"What is posted here is {output.UNVERIFIED}.")
        for what in wording.omitted:
            yield output.paragraph(what, "left out: ")
    for leg in seen.refusals:
        yield output.line(f"✘ {leg.channel} · {leg.language}")
        yield output.paragraph(leg.refused)
    for leg in seen.deletions:
        yield Text(plain(f"{leg.channel} · {leg.language} · takes an earlier post back"))
    for one in seen.pending:
        yield Text(plain(f"✘ {one.target.channel} · {one.target.language} · it would wait"), style="bold")
        yield output.paragraph(one.reason)
        yield output.paragraph(one.remedy, "→ ")
    if not (seen.wordings or seen.deletions or seen.pending or seen.refusals):
        yield Text("No channel is to say it: no route takes it.")
    yield from output.findings(seen.findings)
    if not seen.allowed:
        yield Text("It may not go out as it is.", style="bold")


def _body(post: Post, channel: str, publisher: Publisher) -> Text:
    titled = publisher.channels[channel].capabilities.title
    subject = f"{plain(post.title)}\n\n" if post.title and titled else ""
    card = f"\n[link card: {plain(post.title)}]" if post.title and post.link and not titled else ""
    pictures = "".join(f"\n[picture: {plain(one.alt)}]" for one in post.pictures)
    return Text.assemble((subject, "bold"), plain(post.text), (f"{card}{pictures}", "italic"))
