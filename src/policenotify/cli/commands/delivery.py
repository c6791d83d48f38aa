"""`policenotify drain`, `worker`, `stop`, `resume` and `resolve`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta, tzinfo
from typing import TYPE_CHECKING

import click

from policenotify.cli import collect_garbage_as_usual, completion, end_if_interrupted, output
from policenotify.cli.context import CliContext, Seconds, common, note, pass_context
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.cli.lookup import find_publication
from policenotify.cli.output import Part, plain
from policenotify.cli.results import DrainAnswer
from policenotify.cli.usage import UsageError
from policenotify.delivery.service import GRACE, Supervisor, ended_by_signals
from policenotify.errors import IncidentNotFound, SettingsError
from policenotify.model.history import Outcome
from policenotify.model.receipt import counted, local_time
from policenotify.model.status import Problem
from policenotify.publishing.status import read_status, removed_channel
from policenotify.translation import Text, text_of
from policenotify.validation import did_you_mean

if TYPE_CHECKING:
    from policenotify.publishing.operations import Operations

_BUDGET = 50.0  # seconds: two drains of a timer that fires every minute never overlap


@click.command("drain", epilog=exit_codes("1 stopped; 3 a channel needs attention; 6 no journal"))
@click.option(
    "--budget",
    type=Seconds(min=0, min_open=True),
    default=_BUDGET,
    show_default=True,
    metavar="SECONDS",
    help="Longest run.",
)
@common
@pass_context
def drain(call: CliContext, budget: float) -> Exit:
    """Deliver due messages once and exit: for cron and timers, once a minute.

    Scheduled retries do not affect the exit code; 3 means that a person must act.

    \b
    Examples:
      policenotify drain
      * * * * *  policenotify drain --budget 50      (in a crontab)
    """
    with closing(call.publisher()) as publisher:
        journal = publisher.journal
        if (stopped := journal.stopped()) is not None:
            raise stopped
        waits = (
            journal.deliveries.due(publisher.installation.channel_configs)
            or journal.deliveries.unrendered(publisher.installation.channel_configs)
            or journal.channels.blocked()
        )
        before = journal.deliveries.unsettled() if waits else frozenset()
        end_if_interrupted()
        call.may_have_published = True
        next_due = publisher.drain(timedelta(seconds=budget))
        outcomes = Counter(journal.deliveries.outcomes(before))
        lists = {each.channel: each for each in reversed(journal.deliveries.waiting_for_lists())}
        problems = {name: Problem(reason=each.reason, remedy=each.remedy) for name, each in lists.items()}
        # Of a list some people may be held, although the others have the post.
        held = (each.delivery for each in publisher.operations.held() if each.delivery in before) if outcomes else ()
        answer = DrainAnswer(
            outcomes=outcomes,
            held=tuple(held),
            next_due=next_due,
            blocked=tuple(sorted(journal.channels.blocked())),
            channel_problems={**problems, **publisher.operations.channel_problems()},
        )
        call.emit(answer, *_drained(answer, publisher.installation.zone))
    acts = answer.blocked or answer.channel_problems or outcomes[Outcome.REFUSED] or answer.held
    return Exit.ATTENTION if acts else Exit.OK


def _drained(answer: DrainAnswer, zone: tzinfo) -> Iterator[Part]:
    counts = Text.join(", ", (counted(outcome, count) for outcome, count in sorted(answer.outcomes.items())))
    yield output.prose(Text("Deliveries: {counts}.", counts=counts) if counts else Text("Nothing was waiting."))
    due = answer.next_due
    yield output.prose(
        Text("Something is due next at {due}.", due=local_time(due, zone)) if due else Text("Nothing is due.")
    )
    if answer.blocked:
        yield output.prose(
            Text("Blocked, until a person acts: {blocked}. See: policenotify status", blocked=", ".join(answer.blocked))
        )
    for delivery in answer.held:
        yield output.prose(
            Text(
                "Delivery {delivery} is held, wholly or for some people: policenotify held {delivery}",
                delivery=delivery,
            )
        )
    for problem in answer.channel_problems.values():
        yield output.prose(text_of(problem))


@click.command(
    "worker", epilog=exit_codes("1 settings or keys wrong; 3 a post was left in doubt; 6 no journal; 7 taken away")
)
@click.option(
    "--grace",
    type=Seconds(min=0),
    default=GRACE,
    show_default=True,
    metavar="SECONDS",
    help="Time for posts under way to finish at the end.",
)
@common
@pass_context
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
    collect_garbage_as_usual()
    with closing(call.publisher()) as publisher, ended_by_signals() as signals:
        end_if_interrupted()
        running = publisher.worker()
        running.start()
        usable = [name for name, channel in publisher.installation.channel_configs.items() if not channel.problem]
        note(call.say(Text("Delivering on {usable}.", usable=", ".join(usable) or Text("no channel"))))
        installation = read_status(publisher.journal, publisher.installation.channel_configs, limit=0)
        for name, problem in installation.channel_problems.items():
            if not publisher.installation.channel_configs[name].problem:  # else the worker has logged it
                note(plain(call.say(problem.text)))
        for name, incidents in installation.removed_channels.items():
            note(plain(call.say(removed_channel(name, incidents))))
        end = Supervisor().serve(running, signals, publisher.monitor.line, grace)
    if end.failure is not None:  # the journal's own alarm, in the log, says what to do
        ended_by = type(end.failure).__name__
        call.emit(
            {"ended_by": ended_by, "finished": end.finished},
            output.prose(Text("Ended: {event}", event=end.failure.event)),
        )
        return Exit.TAKEN_AWAY
    left = (
        Text("Posts under way have finished.")
        if end.finished
        else Text("A post was still under way after {grace} s.", grace=f"{grace:g}")
    )
    document = {"ended_by": end.signal, "finished": end.finished}
    call.emit(
        document,
        output.prose(
            Text("Ended by {signal}. {left} The next worker or drain sends what waits.", signal=end.signal, left=left)
        ),
    )
    return Exit.OK if end.finished else Exit.ATTENTION


@click.command("stop", epilog=exit_codes("6 no journal"))
@click.option("--reason", default="", metavar="TEXT", help="Shown with every refused command.")
@common
@pass_context
def stop(call: CliContext, reason: str) -> Exit:
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
    return Exit.OK


@click.command("resume", epilog=exit_codes("1 no such channel; 3 all is still stopped; 6 no journal"))
@click.argument("which", required=False, metavar="[CHANNEL|PUBLICATION]", shell_complete=completion.channels_and_paused)
@click.option(
    "--channel", metavar="NAME", shell_complete=completion.channels, help="Only this channel of a paused publication."
)
@click.option("--reason", default="", metavar="TEXT", help="Recorded in the journal.")
@common
@pass_context
def resume(call: CliContext, which: str | None, channel: str | None, reason: str) -> Exit:
    """Resume after `policenotify stop`; with a CHANNEL, resume that channel after it was blocked.

    With a publication, its key or its incident, resume its sending after `policenotify pause`. A channel takes
    precedence.

    \b
    Examples:
      policenotify resume
      policenotify resume bluesky --reason "Nouveau mot de passe"
      policenotify resume 2026-4711 --channel sms
    """
    actor = call.actor
    with call.operations() as operations:
        known = {*operations.channel_configs, *operations.journal.channels.blocked()}
        if which is not None and which not in known:
            return _resume_sending(call, operations, which, channel=channel, reason=" ".join(reason.split()))
        if channel is not None:
            raise UsageError(Text("--channel goes with a publication that is paused."))
        done = operations.resume(which, actor=actor, reason=reason)
    unchanged = Text("Nothing was stopped.") if which is None else Text("{which} was not blocked.", which=which)
    resumed = Text("Everything is resumed.") if which is None else Text("{which} is resumed.", which=which)
    more = [output.prose(Text("But: {still_stopped}", still_stopped=done.still_stopped))] if done.still_stopped else []
    call.emit(done, output.prose(resumed if done.resumed else unchanged), *more)
    return Exit.ATTENTION if more else Exit.OK


def _resume_sending(call: CliContext, operations: Operations, name: str, *, channel: str | None, reason: str) -> Exit:
    journal = operations.journal
    try:
        found = find_publication(journal, name, operations.zone)
    except IncidentNotFound:
        known = did_you_mean(name, operations.channel_configs)
        raise SettingsError(
            Text("{name!r} is neither a channel nor a publication. {known}", name=name, known=known)
        ) from None
    done = operations.resume_sending(found.id, actor=call.actor, channel=channel)
    if reason:
        journal.audit.record(call.actor, "remarked", {"reason": reason, "publication": found.id})
    text = (
        Text("Resumed on {channels}.", channels=", ".join(done.channels))
        if done.channels
        else Text("Nothing of it was paused.")
    )
    document = {"resumed": bool(done.channels), "channel": None, "actor": call.actor}
    call.emit(document | {"publication": found.id, "channels": done.channels}, output.prose(text))
    return Exit.OK


@click.command("resolve", epilog=exit_codes("6 no journal"))
@click.argument("delivery", type=int, shell_complete=completion.held_deliveries)
@click.option(
    "--posted/--not-posted", default=None, required=True, help="It is published; or it is not: send it again."
)
@click.option(
    "--recipient", "recipients", multiple=True, metavar="ADDRESS|KEY", help="Only this person; may be given again."
)
@common
@pass_context
def resolve(call: CliContext, delivery: int, posted: bool, recipients: tuple[str, ...]) -> Exit:  # noqa: FBT001 - click hands options over so
    """Record the outcome of a held delivery, after looking on the network whether the post is there.

    The number of the DELIVERY is in its receipt. The journal records who resolved it. Of a list, all who are held are
    resolved, or only the people named: by address, number, or a key that `policenotify held` shows.

    \b
    Examples:
      policenotify resolve 42 --posted
      policenotify resolve 42 --recipient 3f9a1c0b77de --posted
      policenotify resolve 42 --not-posted      (the next drain sends it again)
    """
    actor = call.actor
    with call.operations() as operations:
        done = operations.resolve(delivery, actor=actor, posted=posted, people=recipients)
    result = Text("counts as posted") if posted else Text("is sent again by the next publish or drain")
    if done.outcome is Outcome.SUPERSEDED:
        result = Text("is not sent again: a newer message of its incident is published by now")
    text = Text("Delivery {delivery} {result}.", delivery=delivery, result=result)
    if done.people:
        text = Text.counted(
            "Delivery {delivery} {result} for {count} person.",
            "Delivery {delivery} {result} for {count} people.",
            delivery=delivery,
            count=done.people,
            result=result,
        )
    call.emit(done, output.prose(text))
    return Exit.OK
