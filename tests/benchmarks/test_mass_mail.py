"""Mass mail beside a bare client and apprise, all against postfix's `smtp-sink`: `pytest -m benchmark -s`.

All take turns in one run, so that a busy machine slows each of them. What counts are medians and their ratios.

The goals are 0.5 of smtplib's mails a second on the loopback, where a reply takes 15 µs and the processor decides, 0.85
of them for each session where a reply takes a millisecond, as another machine's, 1.7 with two sessions, and twice those
of apprise. The journal is written once for each 25 mails.
"""

from __future__ import annotations

import itertools
import multiprocessing
import shutil
import smtplib
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Final

import pytest
from pydantic import SecretStr

from policenotify.delivery.attempt import DeliveryAttempt
from policenotify.journal.clock import MachineClock
from policenotify.networks.email.channel import Email
from policenotify.networks.registry import configure_channel
from tests.acceptance.peers.programs import listens, wait_until
from tests.support.audiences import listed
from tests.support.channels import open_channel
from tests.support.fake_network import Book
from tests.support.figures import report
from tests.support.journal import LEASE
from tests.support.ports import free_port

pytestmark = pytest.mark.benchmark

MAILS = 200
TURNS: Final = 3
SENDER: Final = "alertes@police.example"
BODY: Final = b"Subject: Accident\r\nFrom: alertes@police.example\r\n\r\n" + b"Evitez le secteur.\r\n" * 60

Turn = Callable[[], None]


@contextmanager
def sink(*options: str) -> Iterator[int]:
    """Postfix's server that throws mails away. Yield its port."""
    program = shutil.which("smtp-sink", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("smtp-sink is missing: apt-get install postfix")
    port = free_port()
    command = [program, "-u", "nobody", *options, f"127.0.0.1:{port}", "200"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603 - Debian's, on the loopback
    try:
        wait_until(lambda: listens(port), "smtp-sink")
        yield port
    finally:
        process.kill()
        process.wait()


@contextmanager
def distant(port: int, delay: float) -> Iterator[int]:
    """Put a server so many seconds away: its replies come later. Yield a port in front of it."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_pass_on, args=(port, delay, there), daemon=True)
    process.start()
    yield here.recv()
    process.kill()
    process.join()


def _pass_on(port: int, delay: float, told: Connection) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        told.send(listening.getsockname()[1])
        while True:
            client, _ = listening.accept()
            server = socket.create_connection(("127.0.0.1", port))
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            late: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
            for work in (partial(_forward, client, server), partial(_collect, server, late, delay)):
                threading.Thread(target=work, daemon=True).start()
            threading.Thread(target=partial(_deliver, late, client), daemon=True).start()


def _forward(client: socket.socket, server: socket.socket) -> None:
    with suppress(OSError):
        while content := client.recv(65_536):
            server.sendall(content)
        server.shutdown(socket.SHUT_WR)


def _collect(server: socket.socket, late: SimpleQueue[tuple[float, bytes]], delay: float) -> None:
    content = b"-"
    while content:
        with suppress(OSError):
            content = server.recv(65_536)
        late.put((time.monotonic() + delay, content))


def _deliver(late: SimpleQueue[tuple[float, bytes]], client: socket.socket) -> None:
    with suppress(OSError), client:
        while True:
            due, content = late.get()
            if not content:
                return
            time.sleep(max(0.0, due - time.monotonic()))
            client.sendall(content)


def by_smtplib(port: int) -> Turn:
    def turn() -> None:
        with smtplib.SMTP("127.0.0.1", port) as session:
            session.ehlo()
            for number in range(MAILS):
                session.sendmail(
                    SENDER, [f"p{number}@readers.example"], b"To: <p%d@readers.example>\r\n" % number + BODY
                )

    return turn


def by_apprise(port: int) -> Turn:
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415 - loaded when it is measured

    people = ",".join(f"p{number}@readers.example" for number in range(MAILS))

    def turn() -> None:
        sender = Apprise(asset=AppriseAsset(async_mode=False))
        assert sender.add(f"mailto://127.0.0.1:{port}/?from={SENDER}&mode=insecure&to={people}")
        assert sender.notify(title="Accident", body=BODY.decode())

    return turn


class Ours:
    """A journal in a file, and the channel."""

    def __init__(self, folder: Path, port: int, sessions: int) -> None:
        folder.mkdir()
        clock = MachineClock()
        self.book = Book(folder, clock=clock)
        url = f"mailto://127.0.0.1:{port}/?from={SENDER}&mode=insecure"
        self.channel = open_channel(Email, url=SecretStr(url), sessions=sessions, clock=clock)
        self.channel.whoami()  # its libraries are loaded
        config = configure_channel("sky", "email", {"url": url}, audiences=listed("sky", lambda: ["a@b.example"]))
        self.attempt = DeliveryAttempt(
            journal=self.book.journal, channel=self.channel, config=config, clock=clock, lease=LEASE
        )
        self.published: list[str] = []
        self._lists = itertools.count()

    def ready(self) -> Turn:
        """Publish to a list, and return what sends it."""
        list_number = next(self._lists)
        people = [f"p{list_number}.{number}@readers.example" for number in range(MAILS)]
        published = self.book.publish("sky", people=people, account=self.channel.account)
        claimed = self.book.claim()
        assert claimed is not None

        def turn() -> None:
            self.attempt.run(claimed)

        self.published.append(published)
        return turn

    def check(self) -> None:
        """Check that everybody got a mail."""
        for published in self.published:
            assert self.book.receipt(published).recipients == {"posted": MAILS}

    def close(self) -> None:
        self.attempt.close()
        self.book.journal.close()


def measured(ready: dict[str, Callable[[], Turn]], turns: int = TURNS) -> dict[str, tuple[float, float]]:
    """Return mails in a second and microseconds of processor time for each, as medians of interleaved turns."""
    rates: dict[str, list[float]] = {name: [] for name in ready}
    times: dict[str, list[float]] = {name: [] for name in ready}
    for number in range(turns + 1):
        for name, make in ready.items():
            turn = make()
            wall, cpu = time.perf_counter(), time.process_time()
            turn()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            if number:  # the first warms up
                rates[name].append(MAILS / wall)
                times[name].append(cpu / MAILS * 1e6)
    result = {name: (statistics.median(rates[name]), statistics.median(times[name])) for name in ready}
    print()
    for name, (mails, time_each) in result.items():
        print(f"{name:20} {mails:6.0f} mails/s, {time_each:4.0f} µs of processor time each")
    return result


@pytest.mark.parametrize(("delay", "mails"), [(0.0, 200), (0.001, 100)])
def test_mass_mail_keeps_up_with_a_bare_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delay: float, mails: int
) -> None:
    """The floors are far below the goals: on a busy machine the delay is longer, and the relay and the disk slower."""
    monkeypatch.setattr(f"{__name__}.MAILS", mails)
    with ExitStack() as stack:
        port = stack.enter_context(sink())
        if delay:
            port = stack.enter_context(distant(port, delay))
        ours = {"ours": Ours(tmp_path / "one", port, 1), "ours, two sessions": Ours(tmp_path / "two", port, 2)}
        for each in ours.values():
            stack.callback(each.close)
        turns = {name: each.ready for name, each in ours.items()}
        result = measured(turns | {"smtplib": lambda: by_smtplib(port), "apprise": lambda: by_apprise(port)})
        for each in ours.values():
            each.check()
    rate = {name: mails / result["smtplib"][0] for name, (mails, _) in result.items()}
    cpu = {name: time_each for name, (_, time_each) in result.items()}
    for name in ("ours", "ours, two sessions"):
        for peer in ("smtplib", "apprise"):
            report(
                f"mail, {'two sessions' if 'two' in name else 'one session'}, {1000 * delay:g} ms, {peer}",
                rate[peer] / rate[name],
                f"{result[name][0]:.0f} a second",
                f"{result[peer][0]:.0f} a second",
            )
    if delay:
        assert rate["ours"] > 0.6
        assert rate["ours, two sessions"] > 1.1 * rate["ours"]
    else:
        assert cpu["ours"] < 6 * cpu["smtplib"]  # 1.5 to 2.7 on a quiet machine, 4.3 at a load of 12
        assert cpu["ours"] < 0.6 * cpu["apprise"]
