"""`policenotify worker`: the process that delivers until it is told to end."""

from __future__ import annotations

from contextlib import closing

import click
from rich.text import Text

from policenotify.cli.alarms import Alarms
from policenotify.cli.context import CliContext, Seconds, common, pass_call, plain
from policenotify.cli.exit_codes import Exit, exit_codes
from policenotify.cli.systemd import GRACE, Supervisor, ended_by_signals


@click.command(
    "worker", epilog=exit_codes("1 settings or keys wrong; 3 a post was left in doubt; 6 no journal; 7 taken away")
)
@click.option(
    "--grace",
    type=Seconds(min=0),
    default=GRACE,
    show_default=True,
    metavar="SECONDS",
    help="For how long posts that are under way may finish at the end.",
)
@common
@pass_call
def worker(call: CliContext, grace: float) -> Exit:
    """Deliver what is due, all the time, until SIGTERM or Ctrl-C: for systemd and the like.

    It then takes nothing new, and lets what is under way finish. A second signal ends it at once; whoever delivers
    next finds out what became of the posts. A journal that fails does not end it: it says so, and tries again. A
    journal that was deleted or replaced ends it at once.

    \b
    Examples:
      policenotify worker
      policenotify worker --settings /etc/policenotify/policenotify.toml
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    supervisor = Supervisor()
    with ended_by_signals() as signals, closing(call.publisher()) as publisher:
        running = publisher.worker()
        running.on_failure = signals.wake
        running.start()
        usable = [name for name, channel in publisher.channels.items() if not channel.problem]
        click.echo(f"Delivering on {', '.join(usable) or 'no channel'}.", err=True)
        alarms = Alarms.read(publisher.journal, publisher.channels.values())
        for fault in alarms.faults.values():
            click.echo(plain(str(fault)), err=True)
        for name in alarms.gone:
            click.echo(plain(alarms.told_of(name)), err=True)
        supervisor.tell("READY=1")
        ended_by = supervisor.watch(running, signals)
        supervisor.tell("STOPPING=1")
        failure = running.failure
        finished = running.stop(patience=grace)
    if failure is not None:  # the journal's own alarm, in the log, says what to do
        call.emit({"ended_by": type(failure).__name__, "finished": finished}, Text(f"Ended: {failure.event}"))
        return Exit.TAKEN_AWAY
    left = "What was under way has finished." if finished else f"Something was still under way after {grace:g} s."
    document = {"ended_by": ended_by, "finished": finished}
    call.emit(document, Text(f"Ended by {ended_by}. {left} What waits is sent by whoever delivers next."))
    return Exit.OK if finished else Exit.ATTENTION
