"""`policenotify preview`: show each post before anything is published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import click
from rich.text import Text as RichText

from policenotify.channel import Post
from policenotify.cli import completion, output
from policenotify.cli.context import CliContext, common, pass_context
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.cli.message import first_message, next_message
from policenotify.cli.options import Typed, opening_options, reopen_option, single_value, to_option
from policenotify.cli.output import Part
from policenotify.cli.report.file import PageFile
from policenotify.cli.times import TypedTime, time_lines, typed_times
from policenotify.cli.usage import UsageError
from policenotify.findings import Finding
from policenotify.model.cap import Severity
from policenotify.model.history import RenderedPost, Target
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.model.status import Problem
from policenotify.publishing.publisher import Publisher
from policenotify.publishing.reach import Preview, Reach, sentences
from policenotify.translation import AnyText, Text

if TYPE_CHECKING:
    from policenotify.channel import Capabilities

Kind: TypeAlias = Literal["reply", "standalone", "continuation"]
"""Where a wording stands."""

_KINDS = {"reply": Text("in the thread"), "standalone": Text("alone"), "continuation": Text("continues")}
_FOLLOWING = {"update": Stage.UPDATE, "end": Stage.END, "correct": Stage.CORRECTION, "cancel": Stage.CANCELLATION}
_DELETES = Text("deletes an earlier post")
_WAITS = Text("it would wait")
_WIDTH = 80


@click.command(
    "preview",
    epilog=exit_codes(
        "1 a check or the incident's status forbids it; 3 a channel is blocked or too small; 6 no journal"
    ),
)
@opening_options
@to_option
@single_value("--update", metavar="INCIDENT", help="Update this incident.", shell_complete=completion.open_incidents)
@single_value("--end", metavar="INCIDENT", help="End this incident.", shell_complete=completion.open_incidents)
@single_value(
    "--correct", metavar="WHICH", help="Correct this, as `correct` does.", shell_complete=completion.open_incidents
)
@single_value(
    "--cancel", metavar="WHICH", help="Cancel this, as `cancel` does.", shell_complete=completion.open_incidents
)
@reopen_option
@click.option(
    "--html",
    metavar="FILE",
    help="Write a page that shows every network as its readers see it, for a browser or a printer.",
)
@common
@pass_context
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
    with ExitStack() as stack:
        file = stack.enter_context(PageFile(html)) if html else None
        publisher = stack.enter_context(closing(call.publisher()))
        message = _message(typed, publisher)
        now = publisher.journal.now()
        times = typed_times(typed, message, now=now, zone=publisher.installation.zone)
        result = publisher.preview(message, to=to or None, count_people=True)
        call.emit(preview_answer(result, publisher, times), *preview_lines(result, publisher), *time_lines(times))
        if file:
            from policenotify.cli.report.builder import draw
            from policenotify.cli.report.source import ReportEntry

            file.write(draw("preview", [ReportEntry(at=now, preview=result)], publisher), call.language)
            click.echo(f"\n{call.say(file)}", err=call.json)
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
class PreviewedWording:
    """One wording of a post.

    Attributes:
        kind: `reply` (in the thread), `standalone`, or `continuation` of the post before.
        used: How much of the channel's budget it takes.
        limit: The channel's budget.
        details: Further details of its length: `UCS-2, 2 segments (1 without accents)`. May be empty.
    """

    kind: Kind
    used: int
    limit: int
    details: AnyText
    post: Post


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewedPost:
    """How a message reads on one channel. *omitted* was left out so that the rest fits."""

    channel: str
    language: str
    omitted: tuple[AnyText, ...]
    wordings: tuple[PreviewedWording, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewAnswer:
    """The answer of `preview`."""

    allowed: bool
    message: Message
    findings: tuple[Finding, ...]
    posts: tuple[PreviewedPost, ...]
    blocked: Mapping[str, Problem]
    refusals: tuple[Target, ...]
    deletions: tuple[Target, ...]
    reach: tuple[Reach, ...]
    times: tuple[TypedTime, ...]


def preview_answer(preview: Preview, publisher: Publisher, times: tuple[TypedTime, ...] = ()) -> PreviewAnswer:
    """Return a preview as a document."""
    return PreviewAnswer(
        allowed=preview.allowed,
        message=preview.message,
        findings=preview.findings,
        posts=tuple(_post(rendered, preview.message.severity, publisher) for rendered in preview.posts),
        blocked=preview.blocked,
        refusals=preview.refusals,
        deletions=preview.deletions,
        reach=preview.reach,
        times=times,
    )


def _capabilities(rendered: RenderedPost, severity: Severity | None, publisher: Publisher) -> Capabilities:
    return publisher.installation.channel_configs[rendered.target.channel].capabilities.for_severity(severity)


def _wordings(rendered: RenderedPost) -> Iterator[tuple[Kind, Post]]:
    if rendered.reply is not None and rendered.target.reply_to:
        yield "reply", rendered.reply
    yield "standalone", rendered.alone
    for post in rendered.continuations:
        yield "continuation", post


def _post(rendered: RenderedPost, severity: Severity | None, publisher: Publisher) -> PreviewedPost:
    budget = _capabilities(rendered, severity, publisher).budget
    wordings = []
    for kind, post in _wordings(rendered):
        used, limit = budget.usage(post.text)
        details = budget.describe(post.text) if budget.describe else ""
        wordings.append(PreviewedWording(kind=kind, used=used, limit=limit, details=details, post=post))
    target = rendered.target
    return PreviewedPost(
        channel=target.channel, language=target.language, omitted=rendered.omitted, wordings=tuple(wordings)
    )


def preview_lines(preview: Preview, publisher: Publisher, *, allowed: bool | None = None) -> Iterator[Part]:
    """Yield each post as its readers would read it, and the findings of the checks.

    Args:
        preview: The preview.
        publisher: Its publisher.
        allowed: It may be published. By default as the preview has it, before anybody has approved it.
    """
    for rendered in preview.posts:
        capabilities, target = _capabilities(rendered, preview.message.severity, publisher), rendered.target
        wordings = [*_wordings(rendered)]
        several = len(wordings) > 1
        for kind, post in wordings:
            length = output.use(capabilities.budget, post.text)
            named: AnyText = _KINDS[kind] if several else ""
            title = Text.join(" · ", (target.channel, target.language, named, length))
            body = _body(post, titled=capabilities.title)
            yield output.Frame(title, body, _WIDTH, tuple(_attached(post, titled=capabilities.title)))
        if capabilities.acceptance == "unverified":
            yield output.paragraph(Text("What is posted here is {unverified}.", unverified=output.UNVERIFIED))
        for part in rendered.omitted:
            yield output.paragraph(Text("left out: {part}", part=part))
        yield from map(output.paragraph, sentences(preview.reach, target.channel, target.language))
    for target in preview.refusals:
        yield output.line(f"✘ {target.channel} · {target.language}")
        yield output.paragraph(target.refused)
    for target in preview.deletions:
        yield output.prose(Text.join(" · ", (target.channel, target.language, _DELETES)))
    for name, pending in preview.blocked.items():
        yield output.Block(Text.join(" · ", (name, _WAITS)), "bold", mark="✘ ")
        yield output.paragraph(pending.reason)
        yield output.paragraph(pending.remedy, "→ ")
    if not (preview.posts or preview.deletions or preview.refusals):
        yield output.prose(Text("It would be published on no channel: no route takes it."))
    yield from output.findings(preview.findings, preview.message)
    if not (preview.allowed if allowed is None else allowed):
        text = Text("It may not be published as it is. Correct what blocks, or do what PN601 names.")
        yield output.paragraph(text)


def _body(post: Post, *, titled: bool) -> RichText:
    subject = f"{output.plain(post.title)}\n\n" if post.title and titled else ""
    return RichText.assemble((subject, "bold"), output.plain(post.text))


def _attached(post: Post, *, titled: bool) -> Iterator[Text]:
    if post.title and post.link and not titled:
        yield Text("[link card: {title}]", title=output.plain(post.title))
    for picture in post.pictures:
        yield Text("[picture: {alt}]", alt=output.plain(picture.alt))
