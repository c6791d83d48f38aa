"""`policenotify campaign run` and `serve`: publish what is due."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta, tzinfo
from typing import TYPE_CHECKING

import click

from policenotify.cli import completion, output
from policenotify.cli.context import CliContext, common, pass_context
from policenotify.cli.documents import json_text
from policenotify.cli.exit_codes import Exit, exit_codes, worst
from policenotify.cli.options import Seconds
from policenotify.cli.output import Part
from policenotify.delivery.service import GRACE, Supervisor, ended_by_signals
from policenotify.errors import (
    JournalError,
    JournalTakenAway,
    PolicenotifyError,
    PublishingStopped,
    SettingsError,
    UnsupportedVersion,
)
from policenotify.model.history import Outcome
from policenotify.model.receipt import local_time
from policenotify.translation import AnyText, Text, text_of

if TYPE_CHECKING:
    from policenotify.campaigns import Campaign, RunResult
    from policenotify.publishing.publisher import Publisher

_VERDICTS = {"wait": "waits", "skip": "skipped", "merge": "merged"}

campaign_files = click.argument(
    "files", metavar="FILE|FOLDER...", nargs=-1, required=True, shell_complete=completion.files
)
"""Decorator that adds the argument for the files of campaigns."""


@click.command(
    "run",
    short_help="Publish what is due now: for cron and timers.",
    epilog=exit_codes("1 a campaign is wrong, or all is stopped; 3 a channel needs attention; 6 no journal"),
)
@campaign_files
@click.option("--wait", type=Seconds(min=0), default=None, metavar="SECONDS", help="Longest time to deliver.")
@common
@pass_context
def run(call: CliContext, files: tuple[str, ...], wait: float | None) -> Exit:
    """Publish what is due now, each occurrence once: for cron and timers, every minute or every quarter of an hour.

    A campaign with an error does not stop the others; it is published when the error is corrected.

    \b
    Examples:
      policenotify campaign run campaigns
    """
    from policenotify.campaigns import load_campaigns, run

    with closing(call.publisher()) as publisher:
        wrong: dict[str, AnyText] = {}
        campaigns, actor = load_campaigns(files, errors=wrong), call.actor
        call.may_have_published = True
        limit = None if wait is None else timedelta(seconds=wait)
        result = run(publisher, campaigns, actor=actor, wait=limit)
        result = replace(result, problems={**wrong, **result.problems})
        call.emit(result, *_page(result, publisher.installation.zone))
    acts = any(
        receipt.outcome in {Outcome.REFUSED, Outcome.HELD}
        for publication in result.published
        for receipt in publication
    )
    return worst(Exit.REJECTED if result.problems else Exit.OK, Exit.ATTENTION if acts else Exit.OK)


@click.command(
    "serve",
    short_help="Keep running, and publish what is due on time.",
    epilog=exit_codes("1 a campaign is wrong at the start; 3 a post was left in doubt; 6 no journal at the start"),
)
@campaign_files
@click.option(
    "--every",
    type=Seconds(min=0.1, max=3600),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to check what is due.",
)
@common
@pass_context
def serve(call: CliContext, files: tuple[str, ...], every: float) -> Exit:
    """Publish what is due on time, and deliver what waits, until SIGTERM or Ctrl-C; then finish what is under way.

    The files are read again each time; while one has an error, the last correct ones are used. It prints what it
    does; with --json one document a line.

    \b
    Examples:
      policenotify campaign serve campaigns
    """
    from policenotify.campaigns import load_campaigns

    actor, supervisor = call.actor, Supervisor()
    with closing(call.publisher()) as publisher, ended_by_signals() as signals:
        rounds = _Rounds(call, publisher, actor)
        campaigns = load_campaigns(files)
        call.may_have_published = True
        worker = publisher.worker()
        worker.start()
        supervisor.notify("READY=1")
        while True:
            rounds.run(campaigns)
            if supervisor.watch(worker, signals, every) or worker.failure is not None:
                break
            try:
                campaigns = load_campaigns(files)
                rounds.printed.pop("files", None)
            except (SettingsError, UnsupportedVersion) as error:
                rounds.fail("files", error)
        supervisor.notify("STOPPING=1")
        failure = worker.failure
        finished = worker.stop(timeout=GRACE)
    if failure is not None:
        raise failure
    return Exit.OK if finished else Exit.ATTENTION


@dataclass(slots=True)
class _Rounds:
    """The rounds of `serve`, which print only what has changed.

    Attributes:
        printed: What was printed last, by what it is about.
    """

    call: CliContext
    publisher: Publisher
    actor: str
    printed: dict[str, str] = field(default_factory=dict)

    def run(self, campaigns: tuple[Campaign, ...]) -> None:
        """Publish what is due now."""
        from policenotify.campaigns import run

        try:
            result = run(self.publisher, campaigns, actor=self.actor, wait=timedelta(0))
        except JournalTakenAway:
            raise
        except (JournalError, PublishingStopped) as error:
            self.fail("journal", error)
            return
        kinds = {decision.action for decision in result.decisions}
        state = json_text([[one for one in result.decisions if one.action == "wait"], result.problems])
        if result.published or kinds & {"skip", "merge"} or state != self.printed.get("journal"):
            self._print(result, _page(result, self.publisher.installation.zone))
        self.printed["journal"] = state

    def fail(self, about: str, error: PolicenotifyError) -> None:
        """Print an error unless it was printed last."""
        if self.printed.get(about) != str(error):
            document = {"error": {"kind": type(error).__name__, "text": str(error)}}
            self._print(document, iter([output.prose(text_of(error))]))
        self.printed[about] = str(error)

    def _print(self, document: object, page: Iterator[Part]) -> None:
        with suppress(OSError):  # a full disk, or a reader that has exited, stops no campaign
            if self.call.json:
                click.echo(json_text(document, indent=None))  # a line at once, for a program that reads along
            else:
                self.call.emit(document, *page)


def _page(result: RunResult, zone: tzinfo) -> Iterator[Part]:
    for publication in result.published:
        yield output.heading(publication, zone)
        yield from output.receipts(publication, zone)
    for decision in result.decisions:
        if decision.action in _VERDICTS:
            until = Text(", until {at}", at=local_time(decision.until, zone)) if decision.until else ""
            label = f"{decision.occurrence.campaign} · {decision.occurrence.day}"
            verdict = _VERDICTS[decision.action]
            yield output.prose(
                Text(
                    "{label}: {verdict}: {reason}{until}.",
                    label=label,
                    verdict=verdict,
                    reason=decision.reason,
                    until=until,
                )
            )
    for name, problem in result.problems.items():
        yield output.prose(Text("{name}: not published. {problem}", name=name, problem=problem))
    if not result.published and not result.decisions and not result.problems:
        yield output.prose(Text("Nothing is due."))
    if result.next_at:
        yield output.prose(Text("Next: {next_at}.", next_at=local_time(result.next_at, zone)))
