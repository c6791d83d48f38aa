"""Each of five networks fails in each way from the outside: what is told, what the journal holds, what readers have.

The tables of `docs/explanation/failure-modes.md` are what these tests saw: `bash .ci/run regenerate` writes them.
Else they must be the same.
"""

from __future__ import annotations

import re
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from threading import Barrier
from typing import Final

import pytest

from policenotify.errors import JournalError
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome
from policenotify.model.receipt import Receipt
from policenotify.testing.servers.http import RecordedRequest
from policenotify.testing.servers.mail import _Fault
from tests.support import golden
from tests.support.faults import (
    BLOCKED,
    CELLS,
    DOUBT,
    HELD,
    LOGIN,
    PEOPLE,
    PUBLISHES,
    SAID,
    TABLE,
    WAITS,
    Suffered,
    suffer,
    worst,
)
from tests.support.five_networks import NETWORKS, Five, open_five
from tests.support.installation import accident, later
from tests.support.patience import PATIENCE, until

PAGE: Final = Path(__file__).parents[2] / "docs" / "explanation" / "failure-modes.md"
MARK: Final = "<!-- what follows is written by: bash .ci/run regenerate -->\n"
NAMES: Final = dict(zip(NETWORKS, ("X", "Mastodon", "Bluesky", "e-mail", "SMS"), strict=True))
WHAT: Final = {
    "refused": "connection refused",
    "no such name": "name not found (DNS)",
    "not trusted": "certificate not trusted",
    "no TLS": "no TLS",
    "silent, not taken": "no answer in time, not accepted",
    "silent, taken": "no answer in time, but accepted",
    "cut, taken": "connection cut after acceptance",
    "half a body": "half an answer (mail: half a session)",
    "429": "rate limit with a time (mail: 451 for each person)",
    "429, no reset": "rate limit without a time (mail: 450)",
    "500": "server error (mail: 421)",
    "HTML": "HTML page of a proxy or captive portal",
    "redirect": "redirect (mail: 551 for one person)",
    "clock ahead": "clock 3 hours ahead, connection cut",
    "clock behind": "clock 3 hours behind, rate limit until a time of the network",
    "clock set back": "connection cut, clock 3 hours ahead and then corrected",
    "clock set on": "connection cut, clock then set 3 hours forward",
    "expired": "access token expired",
    "ended": "refresh token expired, too",
    "revoked": "token, keys or password revoked (mail: 535, SMS: 403)",
    "disk, before": "journal's disk full at publication",
    "disk, after": "journal's disk full after acceptance",
}
_DISK: Final[dict[str, tuple[tuple[str, int], ...]]] = {
    "disk, before": (("error", 1), ("error", 1), ("error", 1), ("error", 3), ("error", 3)),
    "disk, after": (("sending", 1), ("sending", 1), ("sending", 1), (HELD, 3), (HELD, 3)),
}
_seen = set[tuple[str, str]]()
_rows: dict[str, list[str]] = {}
"""The reason and remedy of each receipt on which a person acts, with its networks."""


@pytest.fixture
def five(tmp_path: Path) -> Iterator[Five]:
    with open_five(tmp_path, LOGIN) as opened:
        yield opened


# --- from the outside


@pytest.mark.slow
@pytest.mark.parametrize(("network", "way"), CELLS)
def test_one_network_down(five: Five, network: str, way: str) -> None:
    expected = TABLE[way][NETWORKS.index(network)]
    assert expected is not None
    first, alone = expected
    suffered = suffer(five, network, way)
    receipt, people = suffered.said.on(network), PEOPLE.get(network, ("everybody",))

    assert (BLOCKED if suffered.held.blocked else worst(receipt)) == first, str(receipt)
    if first is not SAID or not receipt.ok:
        assert receipt.reason, "what happened"
        assert receipt.remedy, "what to do now"
    _holds(suffered, first, receipt)
    for other in set(NETWORKS) - {network}:  # have published, each once
        assert suffered.said.on(other).outcome is SAID, str(suffered.said.on(other))
        assert len(five.read(other)) == len(PEOPLE.get(other, "1"))

    # Afterwards nothing was published twice, and what is missing is reported.
    texts, told = suffered.alone
    assert len(texts) == alone, str(told)
    assert alone == len(people) or not told.ok or told.note or network == "sms", str(told)
    # When a person has done what the receipt says, nothing was lost.
    texts, settled = suffered.after
    if way in {"no such name", "not trusted"}:
        assert settled.outcome is WAITS, "the name and the certificate are still the same"
    elif not (way == "redirect" and network == "email") and (network, way) not in _LOST:
        assert len(texts) == len(people), str(settled)
        assert settled.ok
    if way in {"clock ahead", "clock behind"} and network == "x":
        assert ("clock" in str(receipt.reason)) is (way == "clock ahead")
    _check_row(network, way, receipt, len(suffered.alone[0]), suffered.alone[1])


_LOST: Final = {("sms", "HTML"), ("sms", "no TLS")}
"""Kannel's yes is no proof, and its receipt says "not verified"; a call that finds no TLS looks like one that was lost,
and the right url is that of another account."""


def _holds(suffered: Suffered, first: Outcome | str, receipt: Receipt) -> None:
    """The journal holds what the receipt tells, and nothing unended."""
    held, people = suffered.held, sum(suffered.held.people.values())
    assert (held.attempts, held.unended) == (receipt.attempts, 0)
    assert held.doubt is (first is DOUBT)
    assert people == sum((receipt.recipients or {}).values())
    if first is WAITS:
        assert held.state == "waiting"
        assert receipt.retry_at == held.retry_at
        assert held.retry_at >= suffered.at + timedelta(minutes=4), "as the backoff has it, or later"
        assert held.retry_at <= suffered.at + timedelta(minutes=16), "not by the network's clock"
        assert held.people.keys() <= {("waiting", False)}
    elif first is DOUBT:
        assert (held.state, held.asked) == ("waiting", True)
        assert held.retry_at > suffered.at
    elif first is HELD:
        assert held.people["held", True] >= 1
        assert not any(doubt for state, doubt in held.people if state != "held")
    elif first == BLOCKED:
        assert (held.state, held.blocked, receipt.retry_at) == ("waiting", receipt.reason, None)
    else:
        assert held.state == "posted"


@pytest.mark.slow
def test_an_expired_token_is_renewed_once(five: Five) -> None:
    suffer(five, "x", "expired")
    assert five.x.renewals == 2, "the first one, and another when it had expired"
    assert five.bluesky.logins == 1


# --- the disk


@contextmanager
def _full_disk() -> Iterator[None]:
    """No file of this process may grow or be written, as by a quota (setrlimit(2)); Python ignores SIGXFSZ."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.slow
def test_a_full_disk_when_it_is_published(five: Five) -> None:
    publisher, message = five.publisher(backoff=later), accident(severity=Severity.MODERATE)
    with publisher.journal.read() as connection:  # SQLite's own limit stands for the disk's
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalError) as caught:
        publisher.publish(message, key="open", actor="desk")
    assert "the disk is full. Free some space, then try again. Nothing was sent" in str(caught.value)
    assert publisher.operations.publication("open") is None
    assert not any(five.read(network) for network in NETWORKS)

    with publisher.journal.read() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1073741823")
    said = publisher.publish(message, key="open", actor="desk", wait=timedelta(seconds=30))
    assert said.ok
    assert not said.repeated
    for network in NETWORKS:
        assert len(five.read(network)) == _DISK["disk, before"][NETWORKS.index(network)][1]
        _check_row(network, "disk, before", caught.value, len(five.read(network)), said.on(network))


def _meet(five: Five, together: Barrier) -> None:
    """Let each of the five, at its first call, wait for the others. Mail waits after the first one."""
    met = set[str]()

    def meet(network: str) -> None:
        if network not in met:
            met.add(network)
            together.wait(PATIENCE)

    def meets(network: str, seen: RecordedRequest) -> None:
        method, path = PUBLISHES[network]
        if seen.path == path and method in {"*", seen.method}:
            meet(network)

    for network in PUBLISHES:
        getattr(five, network).disturb(partial(meets, network))

    mailed = count(1)

    def offered(_session: object, _address: str) -> bool:
        if next(mailed) == 2:  # who is named second: the server has accepted the mail to the first
            meet("email")
        return False

    five.mail._faults.append(_Fault("RCPT", None, None, offered))  # it meets nobody


@pytest.mark.slow
def test_a_full_disk_when_the_networks_have_it(five: Five) -> None:
    """All five have published; then no result can be stored."""
    publisher, message = five.publisher(backoff=later), accident(severity=Severity.MODERATE)
    room = _full_disk()
    _meet(five, Barrier(len(NETWORKS), action=room.__enter__))
    try:
        with pytest.raises(JournalError) as caught:
            publisher.publish(message, key="open", actor="desk", wait=timedelta(seconds=30))
        # It raises at the first result that cannot be stored. The other channels must not find room for theirs.
        until(lambda: not any(thread.name.startswith("policenotify ") for thread in threading.enumerate()))
    finally:
        room.__exit__(None, None, None)
    assert "the disk fails. Check the disk, then try again. Nothing was sent that is not in it." in str(caught.value)
    first = publisher.operations.publication("open")
    assert first is not None
    assert {receipt.outcome for receipt in first} == {Outcome.SENDING}
    assert {receipt.attempts for receipt in first} == {1}
    publisher.close()

    publisher = five.publisher(backoff=later)  # as after a restart, when there is room
    assert publisher.publish(message, key="open", actor="desk", wait=timedelta(0)).repeated
    for _ in range(3):
        five.clock.ahead += timedelta(minutes=6)
        five.theirs.ahead += timedelta(minutes=6)
        publisher.drain(timedelta(seconds=8))
    told = publisher.operations.publication("open")
    assert told is not None
    for network in NETWORKS:
        outcome, readers = _DISK["disk, after"][NETWORKS.index(network)]
        assert len(five.read(network)) == readers
        receipt = told.on(network)  # of a list all who were marked are in doubt
        assert (HELD in {receipt.outcome, *(receipt.recipients or ())}) is (outcome is HELD), str(receipt)
        _check_row(network, "disk, after", caught.value, readers, told.on(network))
        if outcome is HELD:
            assert f"resolve {told.on(network).delivery}" in str(told.on(network).remedy)
            publisher.journal.sendings.resolve(told.on(network).delivery, "desk", posted=True)
    publisher.drain(timedelta(seconds=8))
    settled = publisher.operations.publication("open")
    assert settled is not None
    assert settled.ok
    assert [len(five.read(network)) for network in NETWORKS] == [1, 1, 1, 3, 3]
    assert five.bluesky.commits == 1


# --- the page


def _check_row(network: str, way: str, first: Receipt | JournalError, readers: int, alone: Receipt) -> None:
    """The page has what was seen, if a person must act on it."""
    _seen.add((network, way))
    if isinstance(first, Receipt):
        why, then = _general(str(first.reason)), _general(str(first.remedy))
        if HELD not in {first.outcome, *(first.recipients or ())} and readers == _everybody(network) and alone.ok:
            return
        if not first.reason:
            return
    else:
        why, _, then = str(first).partition(". ")
        why += "."
    row = _rows.setdefault(f"{why} | {then} |", [])
    if NAMES[network] not in row:
        row.append(NAMES[network])
    if not golden.WRITES:
        assert f" | {why} | {then} |" in PAGE.read_text(encoding="utf-8"), f"{network}, {way}"


def _general(text: str) -> str:
    """Return the words of a receipt without what differs by network."""
    text = re.sub(r"^(X|Mastodon|Bluesky|The mail server|The SMS gateway)\b", "The network", text)
    text = re.sub(r"'(email|sms)'", "the channel", text)
    return re.sub(r"resolve \d+", "resolve NUMBER", text).replace("<", "\\<")  # else it is HTML


def _everybody(network: str) -> int:
    return len(PEOPLE.get(network, "1"))


def _overview() -> str:
    """Every fault on every network, in a word: from what the tests expect. Faults with the same words share a row."""
    word: dict[object, str] = {
        WAITS: "waits", DOUBT: "in doubt", HELD: "held", SAID: "posted", BLOCKED: "blocked",
        "error": "error", "sending": "in doubt", None: "–",
    }  # fmt: skip
    rows: dict[str, list[str]] = {}
    for way, row in (TABLE | _DISK).items():
        cells = []
        for network, cell in zip(NETWORKS, row, strict=True):
            first, readers = cell or (None, _everybody(network))
            needed = first in {HELD, BLOCKED} or readers != _everybody(network)
            cells.append(f"**{word[first]}**" if needed else word[first])
        rows.setdefault(" | ".join(cells), []).append(WHAT[way])
    lines = (f"| {'; '.join(ways)} | {cells} |" for cells, ways in rows.items())
    return "\n".join((f"| | {' | '.join(NAMES.values())} |", f"|---|{'---|' * len(NAMES)}", *lines))


def _whole() -> str:
    rows = []
    for words, networks in _rows.items():
        named = [name for name in NAMES.values() if name in networks]
        rows.append(f"| {'all' if len(named) == len(NAMES) else ', '.join(named)} | {words}")
    head = ("| network | reason | remedy |", "|---|---|---|")
    return f"\n## Overview\n\n{_overview()}\n\n## Receipts on which a person acts\n\n" + "\n".join((*head, *rows, ""))


def test_the_page_is_whole() -> None:
    """The last of this file: what the page shows is all that is tried, and nothing else."""
    assert tuple(TABLE | _DISK) == tuple(WHAT)
    assert {len(row) for row in TABLE.values()} == {len(NETWORKS)}
    before, mark, written = PAGE.read_text(encoding="utf-8").partition(MARK)
    is_whole = len(_seen) == len(CELLS) + len(_DISK) * len(NETWORKS)  # all of them ran here, and to their end
    if golden.WRITES:
        assert is_whole, "A test of this file failed or did not run, so the page is not written. Run the whole file."
        PAGE.write_text(before + mark + _whole(), encoding="utf-8")
        return
    assert f"## Overview\n\n{_overview()}\n" in written
    if is_whole:
        assert sorted(written.splitlines()) == sorted(_whole().splitlines())
