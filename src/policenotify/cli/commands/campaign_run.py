"""`policenotify campaign run` and `serve`: say what is due, now or as long as the machine is up."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from datetime import timedelta, tzinfo
from typing import TYPE_CHECKING

import click
from rich.console import RenderableType
from rich.text import Text

from policenotify.cli import completion, output
from policenotify.cli.context import CliContext, Seconds, common, pass_call, plain
from policenotify.cli.exit_codes import Exit, exit_codes, worst
from policenotify.cli.systemd import GRACE, Supervisor, ended_by_signals
from policenotify.errors import (
    JournalError,
    JournalTakenAway,
    PolicenotifyError,
    PublishingStopped,
    SettingsError,
    UnsupportedVersion,
)
from policenotify.model.history import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policenotify.campaigns import Campaign, RunResult
    from policenotify.publishing.publisher import Publisher

_files = click.argument("files", metavar="FILE|FOLDER...", nargs=-1, required=True, shell_complete=completion.files)


@click.command(
    "run",
    short_help="Say what is due now: for cron and timers.",
    epilog=exit_codes("1 a campaign is wrong, or all is stopped; 3 a person must act; 6 no journal"),
)
@_files
@click.option("--wait", type=Seconds(min=0), default=None, metavar="SECONDS", help="How long to deliver.")
@common
@pass_call
def run(call: CliContext, files: tuple[str, ...], wait: float | None) -> Exit:
    """Say what is due now, each occurrence once: for cron and timers, every minute or every quarter of an hour.

    One campaign that is wrong silences no other; nothing of it is lost.

    \b
    Examples:
      policenotify campaign run campaigns
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    from policenotify.campaigns import load_campaigns, run  # noqa: PLC0415 - help needs none

    with closing(call.publisher()) as publisher:
        wrong: dict[str, str] = {}
        campaigns, actor = load_campaigns(files, errors=wrong), call.actor
        call.begun = True
        waits = None if wait is None else timedelta(seconds=wait)
        done = run(publisher, campaigns, actor=actor, wait=waits)
        done = replace(done, problems={**wrong, **done.problems})
        call.emit(_document(done), *_page(done, publisher.zone))
    return _exit(done)


@click.command(
    "serve",
    short_help="Stay, and say what is due on time.",
    epilog=exit_codes("1 a campaign is wrong at the start; 3 a post was left in doubt; 6 no journal at the start"),
)
@_files
@click.option(
    "--every",
    type=Seconds(min=0.1, max=3600),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to look.",
)
@common
@pass_call
def serve(call: CliContext, files: tuple[str, ...], every: float) -> Exit:
    """Stay, say what is due on time, and deliver what waits, until SIGTERM or Ctrl-C; then end what is under way.

    The files are read again each time; while one is wrong, the last right ones hold. It tells what it does; with
    --json one document a line.

    \b
    Examples:
      policenotify campaign serve campaigns
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    from policenotify.campaigns import load_campaigns  # noqa: PLC0415 - help needs none

    actor, told, supervisor = call.actor, dict[str, str](), Supervisor()
    with ended_by_signals() as signals, closing(call.publisher()) as publisher:
        campaigns = load_campaigns(files)
        call.begun = True
        running = publisher.worker()
        running.on_failure = signals.wake
        running.start()
        supervisor.tell("READY=1")
        while True:
            _look(call, publisher, campaigns, actor, told)
            if supervisor.watch(running, signals, every) or running.failure is not None:
                break
            try:
                campaigns = load_campaigns(files)
                told.pop("files", None)
            except (SettingsError, UnsupportedVersion) as error:
                _trouble(call, "files", error, told)
        supervisor.tell("STOPPING=1")
        failure = running.failure
        finished = running.stop(timeout=GRACE)
    if failure is not None:
        raise failure
    return Exit.OK if finished else Exit.ATTENTION


def _look(
    call: CliContext, publisher: Publisher, campaigns: tuple[Campaign, ...], actor: str, told: dict[str, str]
) -> None:
    """One look; what would be told again and again is told once."""
    from policenotify.campaigns import run  # noqa: PLC0415 - help needs none

    try:
        done = run(publisher, campaigns, actor=actor, wait=timedelta(0))
        document = _document(done)
    except JournalTakenAway:
        raise
    except (JournalError, PublishingStopped) as error:
        _trouble(call, "journal", error, told)
        return
    found = json.dumps([document["waiting"], document["problems"]])
    if done.published or document["never"] or found != told.get("journal"):
        _say(call, document, _page(done, publisher.zone))
    told["journal"] = found


def _trouble(call: CliContext, about: str, error: PolicenotifyError, told: dict[str, str]) -> None:
    if told.get(about) != str(error):
        _say(call, {"error": {"kind": type(error).__name__, "text": str(error)}}, iter([Text(plain(str(error)))]))
    told[about] = str(error)


def _say(call: CliContext, document: dict[str, object], page: Iterator[RenderableType]) -> None:
    if call.json:
        click.echo(json.dumps(document, ensure_ascii=False))  # a line at once, for whoever reads along
    else:
        call.emit(document, *page)


def _document(done: RunResult) -> dict[str, object]:
    waiting, never = _told(done, "wait"), [*_told(done, "skip"), *_told(done, "merge")]
    return {
        "said": [output.document(one) for one in done.published],
        "waiting": waiting,
        "never": never,
        "problems": done.problems,
        "next_at": done.next_at.isoformat() if done.next_at else None,
    }


def _told(done: RunResult, verdict: str) -> list[dict[str, object]]:
    return [
        {
            "campaign": one.occurrence.campaign,
            "day": one.occurrence.day.isoformat(),
            "became": one.action,
            "reason": one.reason,
            "until": one.until.isoformat() if one.until else None,
        }
        for one in done.decisions
        if one.action == verdict
    ]


def _page(done: RunResult, zone: tzinfo) -> Iterator[RenderableType]:
    for publication in done.published:
        yield output.heading(publication, zone)
        yield from output.receipts(publication, zone)
    for one in done.decisions:
        if one.action != "publish":
            until = f", until {output.moment(one.until, zone)}" if one.until else ""
            named = f"{one.occurrence.campaign} · {one.occurrence.day}"
            yield Text(f"{named}: {_BECAME[one.action]}: {one.reason}{until}.")
    for name, problem in done.problems.items():
        yield Text(plain(f"{name}: not said. {problem}"))
    if not done.published and not done.decisions and not done.problems:
        yield Text("Nothing is due.")
    if done.next_at:
        yield Text(f"Next: {output.moment(done.next_at, zone)}.")


_BECAME = {"wait": "waits", "skip": "skipped", "merge": "merged"}


def _exit(done: RunResult) -> Exit:
    bad = {Outcome.REFUSED, Outcome.HELD}
    acts = any(
        receipt.outcome in bad or receipt.unrendered for publication in done.published for receipt in publication
    )
    return worst(Exit.REJECTED if done.problems else Exit.OK, Exit.ATTENTION if acts else Exit.OK)
