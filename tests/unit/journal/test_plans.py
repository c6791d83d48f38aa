"""Frequent queries find their rows by an index, however many deliveries are settled."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from policenotify.channel import RecipientOutcome
from policenotify.journal.records import LEASE, AttemptResult, ClaimedDelivery
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage

if TYPE_CHECKING:
    from tests.support.journal import Desk

# Tables that stay small: a row for each channel, runner or fact.
_SMALL = {"pn_channel", "pn_meta", "pn_runner", "pn_seal"}
_WHOLE_INDEX = {
    "latest": "USING INDEX sqlite_autoindex_pn_publication_1",  # in the order wanted, only as far as the LIMIT
    "unfinished ids": "USING COVERING INDEX pn_delivery_held",  # it has only those that a person must settle
    # It counts all rows, and reads none of them but those with people who are held.
    "figures": (
        "USING COVERING INDEX pn_delivery_due",
        "USING COVERING INDEX pn_publication_counts",
        "USING INDEX pn_delivery_held",
    ),
}
_scan = re.compile(r"\bSCAN (\w+)")
_aliased = re.compile(r"\b(pn_\w+) AS (\w+)")


def _posted(desk: Desk) -> ClaimedDelivery:
    return desk.begin(desk.take())


def _mail(desk: Desk) -> ClaimedDelivery:
    return desk.begin(desk.take("mail"))


def _begun_people(desk: Desk) -> None:
    claimed = _mail(desk)
    people = desk.journal.deliveries.take(claimed, 25, hold_doubt=True, lease=LEASE)
    told = [RecipientOutcome(key=one.key, outcome="refused", gone=True) for one in people]
    desk.journal.deliveries.take(claimed, 0, outcomes=told, hold_doubt=True, lease=timedelta(minutes=2))
    desk.journal.deliveries.record_result(claimed, AttemptResult(outcome=Outcome.WAITING))


def _recovered(desk: Desk) -> None:
    _mail(desk)
    _posted(desk)
    desk.clock.pass_by(121)
    assert desk.journal.deliveries.recover() == 2


OPERATIONS: dict[str, Callable[[Desk], object]] = {
    "publish": lambda desk: desk.publish(incident="I9", channels=("sky", "mail"), people={"mail": ["a@x.example"]}),
    "update": lambda desk: desk.publish(Stage.UPDATE, channels=("sky", "mail"), people={"mail": ["a@x.example"]}),
    "end": lambda desk: desk.publish(Stage.END, channels=("sky", "mail"), people={"mail": ["b@x.example"]}),
    "cancel": lambda desk: desk.publish(Stage.CANCELLATION, None, corrects=f"{1:026d}"),
    "repeated": lambda desk: desk.journal.publications.find_repeated("key", "0" * 64),
    "claim": lambda desk: desk.take(),
    "claim what is severe": lambda desk: desk.claim(severe_only=True),
    "severe is ready": lambda desk: desk.journal.deliveries.is_ready("sky", severe_only=True),
    "begin and settle": lambda desk: desk.settle(_posted(desk)),
    "people": _begun_people,
    "recover": _recovered,
    "due": lambda desk: desk.journal.deliveries.due({"sky": None, "mail": None}),
    "unsettled": lambda desk: desk.journal.publications.pending(f"{1:026d}", patience=timedelta(0)),
    "unfinished ids": lambda desk: desk.journal.publications.unfinished_ids(),
    "figures": lambda desk: desk.journal.figures.read(people=False),
    "most urgent": lambda desk: desk.journal.incidents.earliest_due(3),
    "overdue incidents": lambda desk: desk.journal.incidents.count_open(due_by=desk.clock.now(), exercise=False),
    "outcomes": lambda desk: desk.journal.deliveries.outcomes(desk.journal.deliveries.unsettled()),
    "publication": lambda desk: desk.journal.publications.get(f"{1:026d}"),
    "latest": lambda desk: desk.journal.publications.latest(3),
    "history": lambda desk: desk.journal.incidents.history("I1"),
    "history_of": lambda desk: desk.journal.incidents.history_of(f"{1:026d}"),
    "keep": lambda desk: desk.journal.channels.state_store("sky").compare_and_swap("session", "x", version=None),
    "seal": lambda desk: desk.journal.audit.seal(),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_query_reads_a_whole_table(desk: Desk, name: str) -> None:
    desk.publish(Stage.STANDALONE)
    desk.deliver()
    desk.publish(channels=("sky", "mail"), people={"mail": ["a@x.example", "b@x.example"]})
    desk.publish(Stage.UPDATE, channels=("sky", "mail"), people={"mail": ["a@x.example"]})
    seen: list[tuple[str, Any]] = []

    def remember(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        if re.match(r"\s*(SELECT|UPDATE|DELETE|INSERT)", statement):
            seen.append((statement, parameters[0] if isinstance(parameters, list) else parameters))

    event.listen(desk.journal._engine, "before_cursor_execute", remember)
    OPERATIONS[name](desk)
    event.remove(desk.journal._engine, "before_cursor_execute", remember)
    assert seen
    for statement, parameters in seen:
        with desk.journal.read() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        names = {alias: table for table, alias in _aliased.findall(statement)}
        for step in plan:
            if found := _scan.search(step[3]):
                table = names.get(found[1], found[1])
                allowed = name in _WHOLE_INDEX and step[3].endswith(_WHOLE_INDEX[name])
                assert not str(table).startswith("pn_") or table in _SMALL or allowed, f"{step[3]}\n{statement}"
