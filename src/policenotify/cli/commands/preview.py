"""`policenotify preview`: show each post before anything is published."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import click
from rich.text import Text as RichText

from policenotify.channel import Post
from policenotify.cli import completion, output
from policenotify.cli.context import CliContext, command
from policenotify.cli.exit_codes import Exit
from policenotify.cli.message import first_message, next_message
from policenotify.cli.options import Typed, opening_options, reopen_option, single_value, to_option
from policenotify.cli.output import Part
from policenotify.cli.report.builder import draw
from policenotify.cli.report.file import page_path, write_page
from policenotify.cli.report.source import ReportEntry
from policenotify.cli.times import TypedTime, time_lines, typed_times
from policenotify.cli.usage import UsageError
from policenotify.model.history import RenderedPost
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.publishing.publisher import Publisher
from policenotify.publishing.reach import Preview, sentences
from policenotify.translation import AnyText, Text

_FOLLOWING = {"update": Stage.UPDATE, "end": Stage.END, "correct": Stage.CORRECTION, "cancel": Stage.CANCELLATION}
_DELETES = Text("deletes an earlier post")
_WAITS = Text("it would wait")
_WIDTH = 80


@command(
    "preview",
    exits="1 a check or the incident's status forbids it, or the page cannot be written; 3 a channel is blocked or "
    "too small; 6 no journal",
)
@opening_options
@to_option
@single_value("--update", metavar="INCIDENT", help="Update this incident.", shell_complete=completion.incidents)
@single_value("--end", metavar="INCIDENT", help="End this incident.", shell_complete=completion.incidents)
@single_value(
    "--correct", metavar="WHICH", help="Correct this, as `correct` does.", shell_complete=completion.incidents
)
@single_value("--cancel", metavar="WHICH", help="Cancel this, as `cancel` does.", shell_complete=completion.incidents)
@reopen_option
@click.option(
    "--html",
    metavar="FILE",
    help="Write a page that shows every network as its readers see it, for a browser or a printer.",
)
def preview(call: CliContext, /, to: tuple[str, ...], html: str | None, **typed: object) -> Exit:
    """Show each post as its readers would read it. Nothing is sent or stored.

    It exits with 1 if a check forbids the message, and with 3 if one of its channels is blocked or too small.

    \b
    Examples:
      policenotify preview --category traffic_accident --commune 34172 \\
          --street "avenue de Toulouse" --instruction "Évitez le secteur." \\
          --headline "Accident de la circulation"
      policenotify preview --end 2026-4711 --headline "Fin d'intervention"
      policenotify preview message.json --json
      policenotify preview message.json --html preview.html
    """
    path = page_path(html) if html else None
    with call.publisher() as publisher:
        message = _message(typed, publisher)
        now = publisher.journal.now()
        times = typed_times(typed, message, now=now, zone=publisher.installation.zone)
        result = publisher.preview(message, to=to or None, count_people=True)
        answer = PreviewAnswer(**{each.name: getattr(result, each.name) for each in fields(result)}, times=times)
        call.emit(answer, *preview_lines(result, publisher), *time_lines(times))
        if path:
            page = draw("preview", [ReportEntry(at=now, preview=result)], publisher)
            click.echo(f"\n{call.say(write_page(path, page, call.language))}", err=call.json)
    if not result.allowed:
        return Exit.REJECTED
    uncounted = any(each.problem for each in result.reach)
    return Exit.ATTENTION if result.blocked or result.refusals or uncounted else Exit.OK


def _message(typed: Typed, publisher: Publisher) -> Message:
    named = [name for name in _FOLLOWING if typed[name]]
    if typed["reopen"] and named != ["correct"]:
        raise UsageError(Text("--reopen corrects a wrong end: give it with --correct."))
    if not named:
        return first_message(typed, publisher)
    opening = ("file", "category", "incident", "follows", "standalone", "exercise")
    if len(named) > 1 or any(typed[name] for name in opening):
        raise UsageError(
            Text("Preview one message: --{named} stands without FILE, --category or the like.", named=named[0])
        )
    return next_message(_FOLLOWING[named[0]], typed[named[0]], typed["headline"], typed, publisher)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewAnswer(Preview):
    """The answer of `preview`: the preview, and how each typed time was understood."""

    times: tuple[TypedTime, ...] = ()


def _wordings(rendered: RenderedPost) -> Iterator[tuple[AnyText, Post]]:
    """Yield each wording with where it stands."""
    if rendered.reply is not None and rendered.target.reply_to:
        yield Text("in the thread"), rendered.reply
    yield Text("alone"), rendered.alone
    for post in rendered.continuations:
        yield Text("continues"), post


def preview_lines(preview: Preview, publisher: Publisher, *, allowed: bool | None = None) -> Iterator[Part]:
    """Yield each post as its readers would read it, and the findings of the checks.

    Whether it is *allowed* is by default as the preview has it, before anybody has approved it.
    """
    for rendered in preview.posts:
        target = rendered.target
        config = publisher.installation.channel_configs[target.channel]
        capabilities = config.capabilities.for_severity(preview.message.severity)
        wordings = [*_wordings(rendered)]
        several = len(wordings) > 1
        for place, post in wordings:
            length = output.use(capabilities.budget, post.text)
            title = Text.join(" · ", (target.channel, target.language, place if several else "", length))
            subject = f"{output.plain(post.title)}\n\n" if post.title and capabilities.title else ""
            body = RichText.assemble((subject, "bold"), output.plain(post.text))
            yield output.Frame(title, body, _WIDTH, tuple(_attached(post, titled=capabilities.title)))
        if capabilities.acceptance == "unverified":
            yield output.paragraph(Text("What is posted here is {unverified}.", unverified=output.UNVERIFIED))
        for part in rendered.omitted:
            yield output.paragraph(Text("left out: {part}", part=part))
        yield from map(output.paragraph, sentences(preview.reach, target.channel, target.language))
    yield from _others(preview)
    if preview.course:
        yield output.paragraph(preview.course)
    if not (preview.posts or preview.deletions or preview.refusals):
        yield output.prose(Text("It would be published on no channel: no route takes it."))
    yield from output.findings(preview.findings, preview.message)
    if not (preview.allowed if allowed is None else allowed):
        text = Text("It may not be published as it is. Correct what blocks, or do what PN601 names.")
        yield output.paragraph(text)


def _others(preview: Preview) -> Iterator[Part]:
    """Yield what is not a post: refusals, deletions and channels on which it would wait."""
    for target in preview.refusals:
        yield output.line(f"✘ {target.channel} · {target.language}")
        yield output.paragraph(target.refused)
    for target in preview.deletions:
        yield output.prose(Text.join(" · ", (target.channel, target.language, _DELETES)))
    for name, pending in preview.blocked.items():
        yield output.Block(Text.join(" · ", (name, _WAITS)), "bold", mark="✘ ")
        yield output.paragraph(pending.reason)
        yield output.paragraph(pending.remedy, "→ ")


def _attached(post: Post, *, titled: bool) -> Iterator[Text]:
    if post.title and post.link and not titled:
        yield Text("[link card: {title}]", title=output.plain(post.title))
    for picture in post.pictures:
        yield Text("[picture: {alt}]", alt=output.plain(picture.alt))
