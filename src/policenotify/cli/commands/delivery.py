"""`policenotify drain`, `worker`, `stop` and `resume`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta, tzinfo

import click

from policenotify.cli import completion, output
from policenotify.cli.context import CliContext, command, note
from policenotify.cli.exit_codes import Exit
from policenotify.cli.options import Seconds
from policenotify.cli.output import Part, plain
from policenotify.delivery.service import GRACE, Supervisor, ended_by_signals
from policenotify.model.history import Outcome
from policenotify.model.receipt import local_time
from policenotify.model.status import Problem
from policenotify.translation import Text

_BUDGET = 50.0  # seconds: two drains of a timer that fires every minute never overlap


@command("drain", exits="1 stopped; 3 a channel needs attention; 6 no journal")
@click.option(
    "--budget",
    type=Seconds(min=0, min_open=True),
    default=_BUDGET,
    show_default=True,
    metavar="SECONDS",
    help="Longest run.",
)
def drain(call: CliContext, budget: float) -> Exit:
    """Deliver due messages once and exit: for cron and timers, once a minute.

    Scheduled retries do not affect the exit code; 3 means that a person must act.

    \b
    Examples:
      policenotify drain
      * * * * *  policenotify drain --budget 50      (in a crontab)
    """
    with call.publisher() as publisher:
        journal = publisher.journal
        if (stopped := journal.stopped()) is not None:
            raise stopped
        channels = dict.fromkeys(publisher.installation.channel_configs)
        waits = journal.deliveries.due(channels) or journal.channels.blocked()
        before = journal.deliveries.unsettled() if waits else frozenset()
        call.may_have_published = True
        next_due = publisher.drain(timedelta(seconds=budget))
        outcomes = Counter(journal.deliveries.outcomes(before))
        problems = dict(reversed(journal.deliveries.waiting_for_lists().values()))
        # Of a list some people may be held, although the others have the post.
        held = [each.delivery for each in publisher.operations.held() if each.delivery in before] if outcomes else []
        blocked = {**problems, **publisher.operations.blocked()}
        document = {"outcomes": outcomes, "held": held, "next_due": next_due, "blocked": blocked}
        call.emit(document, *_drained(outcomes, held, next_due, blocked, publisher.installation.zone))
    acts = blocked or outcomes[Outcome.REFUSED] or held
    return Exit.ATTENTION if acts else Exit.OK


def _drained(
    outcomes: Mapping[Outcome, int],
    held: Iterable[int],
    due: datetime | None,
    blocked: Mapping[str, Problem],
    zone: tzinfo,
) -> Iterator[Part]:
    counts = output.counts(dict(sorted(outcomes.items())))
    yield output.prose(Text("Deliveries: {counts}.", counts=counts) if counts else Text("Nothing was waiting."))
    yield output.prose(
        Text("Something is due next at {due}.", due=local_time(due, zone)) if due else Text("Nothing is due.")
    )
    for delivery in held:
        yield output.prose(
            Text(
                "Delivery {delivery} is held, wholly or for some people: policenotify resolve {delivery}",
                delivery=delivery,
            )
        )
    for name, problem in blocked.items():
        yield output.prose(Text("Blocked, until a person acts: {name}. {problem}", name=name, problem=problem))


@command(
    "worker",
    exits="1 settings or keys wrong; 3 a post was left in doubt; 6 no journal; 7 it was taken away",
)
@click.option(
    "--grace",
    type=Seconds(min=0),
    default=GRACE,
    show_default=True,
    metavar="SECONDS",
    help="Time for posts under way to finish at the end.",
)
def worker(call: CliContext, grace: float) -> Exit:
    """Deliver due messages until SIGTERM or Ctrl-C: for systemd and the like.

    It then starts nothing new, and lets posts under way finish. A second signal ends it at once; the next worker or
    drain finds out what became of the posts. It goes on when the journal fails, and reports it. A journal that was
    removed or replaced ends it at once.

    \b
    Examples:
      policenotify worker
      policenotify worker --settings /etc/policenotify/policenotify.toml
    """
    with call.publisher() as publisher, ended_by_signals() as signals:
        running = publisher.worker()
        running.start()
        usable = [name for name, channel in publisher.installation.channel_configs.items() if not channel.blocked]
        note(call.say(Text("Delivering on {usable}.", usable=", ".join(usable) or Text("no channel"))))
        for channel in publisher.operations.channels():  # what else is wrong, the worker has logged
            if channel.state == "removed" or (channel.state == "blocked" and channel.name in usable):
                words = Text.join(" ", (channel.reason, channel.remedy))
                note(plain(call.say(Text("{name}: {words}", name=channel.name, words=words))))
        signal = Supervisor().serve(running, signals)
        failure, finished = running.failure, running.stop(timeout=grace)
    if failure is not None:  # the journal's own alarm, in the log, says what to do
        ended_by = type(failure).__name__
        call.emit(
            {"ended_by": ended_by, "finished": finished},
            output.prose(Text("Ended: {event}", event=failure.event)),
        )
        return Exit.TAKEN_AWAY
    left = (
        Text("Posts under way have finished.")
        if finished
        else Text("A post was still under way after {grace} s.", grace=f"{grace:g}")
    )
    document = {"ended_by": signal, "finished": finished}
    call.emit(
        document,
        output.prose(
            Text("Ended by {signal}. {left} The next worker or drain sends what waits.", signal=signal, left=left)
        ),
    )
    return Exit.OK if finished else Exit.ATTENTION


@command("stop", exits="6 no journal")
@click.option("--reason", default="", metavar="TEXT", help="Shown with every refused command.")
def stop(call: CliContext, reason: str) -> None:
    """Stop publishing and delivery at once, in all processes, until `policenotify resume`.

    What waits stays in the journal; nothing new is published meanwhile.

    \b
    Examples:
      policenotify stop --reason "Compte compromis ?"
    """
    actor = call.actor
    with call.operations() as operations:
        done = operations.stop(actor=actor, reason=reason)
    text = Text(
        "Everything is stopped by {actor}. A post under way at this moment may still go out. To resume: ", actor=actor
    )
    call.emit(done, output.prose(Text("{text}policenotify resume", text=text)))


@command("resume", exits="1 no such channel; 3 all is still stopped; 6 no journal")
@click.argument("channel", required=False, shell_complete=completion.channels)
@click.option("--reason", default="", metavar="TEXT", help="Recorded in the journal.")
def resume(call: CliContext, channel: str | None, reason: str) -> Exit:
    """Resume after `policenotify stop`; with a CHANNEL, resume that channel after it was blocked.

    A sending to people that was paused: policenotify sending resume.

    \b
    Examples:
      policenotify resume
      policenotify resume bluesky --reason "Nouveau mot de passe"
    """
    actor = call.actor
    with call.operations() as operations:
        done = operations.resume(channel, actor=actor, reason=reason)
    unchanged = Text("Nothing was stopped.") if channel is None else Text("{which} was not blocked.", which=channel)
    resumed = Text("Everything is resumed.") if channel is None else Text("{which} is resumed.", which=channel)
    more = [output.prose(Text("But: {still_stopped}", still_stopped=done.still_stopped))] if done.still_stopped else []
    call.emit(done, output.prose(resumed if done.resumed else unchanged), *more)
    return Exit.ATTENTION if more else Exit.OK
