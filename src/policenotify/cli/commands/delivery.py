"""`policenotify drain`, `stop`, `resume` and `resolve`: let it go out, halt it, let it go on, settle a doubt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click
from rich.console import RenderableType
from rich.text import Text

from policenotify.cli import completion, output
from policenotify.cli.context import CliContext, Seconds, common, pass_call, plain
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.errors import SettingsError
from policenotify.model.history import Outcome
from policenotify.publishing.preparation import ChannelProblem
from policenotify.validation import did_you_mean

if TYPE_CHECKING:
    from policenotify.publishing.publisher import Publisher

_BUDGET = 50.0  # seconds: a timer that fires every minute never meets itself


@click.command("drain", epilog=exit_codes("1 stopped; 3 a person must act; 6 no journal"))
@click.option(
    "--budget",
    type=Seconds(min=0, min_open=True),
    default=_BUDGET,
    show_default=True,
    metavar="SECONDS",
    help="For how long at most.",
)
@common
@pass_call
def drain(call: CliContext, budget: float) -> Exit:
    """Deliver what is due: for cron and timers, once a minute.

    What is tried again later is in order; it exits with 3 only where a person must act.

    \b
    Examples:
      policenotify drain
      * * * * *  policenotify drain --budget 50      (in a crontab)
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    with closing(call.publisher()) as publisher:
        journal = publisher.journal
        if (stopped := journal.stopped()) is not None:
            raise stopped
        waits = (
            journal.deliveries.due(publisher.channels)
            or journal.deliveries.unrendered(publisher.channels)
            or journal.channels.blocked()
        )
        before = journal.deliveries.unsettled() if waits else frozenset()
        call.begun = True
        due = publisher.drain(timedelta(seconds=budget))
        became = Counter(journal.deliveries.outcomes(before))
        blocked, faults = journal.channels.blocked(), publisher.channel_problems()
        document = {
            "outcomes": dict(became),
            "next_due": due.isoformat() if due else None,
            "blocked": sorted(blocked),
            "faults": {name: asdict(fault) for name, fault in faults.items()},
        }
        call.emit(document, *_drained(became, due, publisher, sorted(blocked), faults))
    acts = blocked or faults or became[Outcome.REFUSED] or became[Outcome.HELD]
    return Exit.ATTENTION if acts else Exit.OK


def _drained(
    became: Counter[Outcome],
    due: datetime | None,
    publisher: Publisher,
    blocked: list[str],
    faults: Mapping[str, ChannelProblem],
) -> Iterator[RenderableType]:
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(became.items()))
    yield Text(f"Deliveries: {counts}." if counts else "Nothing was waiting.")
    yield Text(f"Something is due next at {output.moment(due, publisher.zone)}." if due else "Nothing is due.")
    if blocked:
        yield Text(f"Blocked, until a person acts: {', '.join(blocked)}. See: policenotify status")
    for fault in faults.values():
        yield Text(plain(str(fault)))


@click.command("stop", epilog=exit_codes("6 no journal"))
@click.option("--reason", default="", metavar="TEXT", help="Shown to everybody whom it stops.")
@common
@pass_call
def stop(call: CliContext, reason: str) -> Exit:
    """Halt everything at once, in all processes, until `policenotify resume`.

    What waits stays in the journal; nothing new is published meanwhile.

    \b
    Examples:
      policenotify stop --reason "Compte compromis ?"
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    actor = call.actor
    with call.journal() as (_, journal):
        journal.stop(actor, " ".join(reason.split()))
    told = f"Everything is stopped by {actor}. What is under way this moment may still go out. Go on with: "
    call.emit({"stopped": True, "actor": actor, "reason": reason}, Text(f"{told}policenotify resume"))
    return Exit.OK


@click.command("resume", epilog=exit_codes("1 no such channel; 3 all is still stopped; 6 no journal"))
@click.argument("channel", required=False, shell_complete=completion.channels)
@click.option("--reason", default="", metavar="TEXT", help="Written down with it.")
@common
@pass_call
def resume(call: CliContext, channel: str | None, reason: str) -> Exit:
    """Go on after `policenotify stop`; with a CHANNEL, let that one go on after it was blocked.

    \b
    Examples:
      policenotify resume
      policenotify resume bluesky --reason "Nouveau mot de passe"
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    actor = call.actor
    with call.journal() as (settings, journal):
        if channel is not None and channel not in settings.channels:
            raise SettingsError(f"{channel!r} is no channel. {did_you_mean(channel, settings.channels)}")
        halted = journal.stopped() is not None if channel is None else channel in journal.channels.blocked()
        journal.resume(actor, channel)
        if reason:
            journal.audit.record(actor, "remarked", {"reason": " ".join(reason.split())}, channel=channel)
        stopped = journal.stopped()
    what = "Everything" if channel is None else channel
    nothing = "Nothing was stopped." if channel is None else f"{channel} was not blocked."
    told = f"{what} goes on." if halted else nothing
    more = [Text(plain(f"But: {stopped}"))] if stopped else []
    call.emit({"resumed": halted, "channel": channel, "actor": actor}, Text(told), *more)
    return Exit.ATTENTION if more else Exit.OK


@click.command("resolve", epilog=exit_codes("2 nothing of it is held; 6 no journal"))
@click.argument("delivery", type=int, shell_complete=completion.held_deliveries)
@click.option("--posted/--not-posted", default=None, required=True, help="It is out; or it is not: say it again.")
@common
@pass_call
def resolve(call: CliContext, delivery: int, posted: bool) -> Exit:  # noqa: FBT001 - click hands options over so
    """Say what became of a post that is held: nobody could tell whether it is out, and you have looked.

    The number of the DELIVERY is in its receipt. Who said so is written down.

    \b
    Examples:
      policenotify resolve 42 --posted
      policenotify resolve 42 --not-posted      (the next drain says it again)
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    actor = call.actor
    with call.journal() as (_, journal):
        outcome = journal.deliveries.resolve(delivery, actor, posted=posted)
    told = "counts as posted" if posted else "is said again by the next publish or drain"
    if outcome is Outcome.SUPERSEDED:
        told = "is not said again: a newer message of its incident is out by now"
    call.emit(
        {"delivery": delivery, "posted": posted, "actor": actor, "outcome": outcome},
        Text(f"Delivery {delivery} {told}."),
    )
    return Exit.OK
