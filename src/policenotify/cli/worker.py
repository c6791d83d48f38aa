"""`policenotify worker`: the process that delivers until it is told to end."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import click
from rich.text import Text

from policenotify.cli.alarms import Alarms
from policenotify.cli.call import Call, common, pass_call, plain
from policenotify.cli.exits import Exit, exit_codes
from policenotify.cli.supervision import Signals, Supervisor, ended_by_signals

if TYPE_CHECKING:
    from policenotify.worker import Worker

_GRACE = 30.0  # seconds: longer than most networks' timeouts, shorter than systemd's patience (90)
_LOOKS = 30.0  # seconds between two looks at the worker, where no watchdog asks for more
_HANGS = 90.0  # seconds without a sign of life, after which the watchdog hears nothing: a locked journal takes 30


@click.command("worker", epilog=exit_codes("1 settings or keys wrong; 3 a post was left in doubt; 6 no journal"))
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=_GRACE,
    show_default=True,
    metavar="SECONDS",
    help="For how long posts that are under way may finish at the end.",
)
@common
@pass_call
def worker(call: Call, grace: float) -> Exit:
    """Deliver what is due, all the time, until SIGTERM or Ctrl-C: for systemd and the like.

    It then takes nothing new, and lets what is under way finish. A second signal ends it at once; whoever delivers
    next finds out what became of the posts. A journal that fails does not end it: it says so, and tries again.

    \b
    Examples:
      policenotify worker
      policenotify worker --settings /etc/policenotify/policenotify.toml
    """  # noqa: D301 - click's mark for a paragraph that is not to be rewrapped
    supervisor = Supervisor()
    with ended_by_signals() as signals, closing(call.publisher()) as publisher:
        running = publisher.worker().start()
        click.echo(f"Delivering on {', '.join(publisher.channels)}.", err=True)
        alarms = Alarms.read(publisher.journal, publisher.channels)
        for name in alarms.gone:
            click.echo(plain(alarms.told_of(name)), err=True)
        supervisor.tell("READY=1")
        ended_by = _watched(running, signals, supervisor)
        supervisor.tell("STOPPING=1")
        finished = running.stop(patience=grace)
    left = "What was under way has finished." if finished else f"Something was still under way after {grace:g} s."
    document = {"ended_by": ended_by, "finished": finished}
    call.tell(document, Text(f"Ended by {ended_by}. {left} What waits is sent by whoever delivers next."))
    return Exit.IN_ORDER if finished else Exit.ATTENTION


def _watched(running: Worker, signals: Signals, supervisor: Supervisor) -> str:
    """Wait for a signal, and tell the watchdog meanwhile that the worker comes round; returns the signal's name."""
    while not (name := signals.wait(min(_LOOKS, (supervisor.watches or _LOOKS) / 3))):
        if running.running and running.silent < _HANGS:
            supervisor.tell("WATCHDOG=1")
    return name
