"""Compare what readers have in the end with the journal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from sqlalchemy import Row, select

from policenotify.channel import CHUNK, PostRef
from policenotify.journal.database import schema
from policenotify.journal.journal import Journal
from policenotify.journal.lists.recipients import recipient_key
from policenotify.model.history import Outcome
from tests.acceptance.crash.installation_process import PEOPLE, Turn, turn_of
from tests.acceptance.crash.kills import Scene

_WHY = frozenset({Outcome.POSTED, Outcome.SUPERSEDED, Outcome.HELD})


def judged(scene: Scene) -> Counter[str]:
    """Return the figures. Raise `AssertionError` if a post was lost, overtaken or doubled."""
    with closing(scene.installation.publisher()) as publisher:
        verdict = _Verdict(scene, publisher.journal)
        verdict.judge()
    wrong = "\n".join(verdict.wrong)
    assert not wrong, f"seed {scene.seed}, {scene.kills} kills, {scene.installation.on_unknown}:\n{wrong}"
    return verdict.counted


@dataclass
class _Verdict:
    scene: Scene
    journal: Journal
    wrong: list[str] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)
    turns: dict[str, Turn] = field(default_factory=dict)  # by publication
    deliveries: list[Row[Any]] = field(default_factory=list)  # without the batches of lists
    batches: dict[int, list[Row[Any]]] = field(default_factory=dict)  # by the delivery whose people they have
    attempts: dict[int, list[Row[Any]]] = field(default_factory=dict)  # of each delivery, at all its batches
    of_batch: dict[int, list[Row[Any]]] = field(default_factory=dict)  # of each batch alone
    listed: set[int] = field(default_factory=set)  # deliveries that an operator is asked to look at

    def judge(self) -> None:
        self._read()
        self._nothing_is_lost()
        self._nothing_overtakes()
        for channel in ("x", "bluesky"):
            self._each_is_out_once(channel)
        for channel in PEOPLE:
            self._each_person_has_it(channel)

    def must(self, holds: bool, what: str) -> None:  # noqa: FBT001 - reads as an assertion
        if not holds:
            self.wrong.append(what)

    def _read(self) -> None:
        with self.journal.read() as connection:
            said = connection.execute(select(schema.publication)).all()
            whole = {}
            for row in connection.execute(select(schema.delivery).order_by(schema.delivery.c.id)).all():
                whole[row.id] = row.parent or row.id
                if row.parent is None:
                    self.deliveries.append(row)
                else:
                    self.batches.setdefault(row.parent, []).append(row)
            for row in connection.execute(select(schema.attempt).order_by(schema.attempt.c.number)).all():
                self.attempts.setdefault(whole[row.delivery], []).append(row)
                self.of_batch.setdefault(row.delivery, []).append(row)
        open_ = map(self.journal.publications.get, self.journal.publications.unfinished_ids())
        self.listed = {receipt.delivery for one in open_ if one is not None for receipt in one}
        self.turns = {row.id: Turn(int(row.key.removeprefix("turn "))) for row in said}
        interrupted = [one for rows in self.attempts.values() for one in rows if one.code == "interrupted"]
        self.counted["publications"] = len(said)
        self.counted["attempts"] = sum(map(len, self.attempts.values()))
        self.counted["interrupted"] = len(interrupted)

    def _nothing_is_lost(self) -> None:
        returned = {int(line) for line in self.scene.installation.returned.read_text("ascii").split()}
        journalled = Counter(turn.number for turn in self.turns.values())
        self.must(journalled.keys() >= returned, f"returned, not journalled: {sorted(returned - journalled.keys())}")
        self.must(set(journalled.values()) == {1}, "a caller's key was published twice")
        self.must(sorted(journalled) == list(range(len(journalled))), "the plan has a gap")
        self.must(not self.journal.channels.blocked(), f"blocked: {self.journal.channels.blocked()}")
        channels = Counter(row.channel for row in self.deliveries)
        self.must(set(channels.values()) == {len(journalled)}, f"a delivery is missing: {channels}")
        for row in self.deliveries:
            self.must(row.state in _WHY, f"{self._named(row)}: {row.state} {row.reason}")
            self.must(row.state == Outcome.POSTED or bool(row.reason), f"{self._named(row)}: {row.state} for no reason")
            attempts, batches = self.attempts.get(row.id, []), self.batches.get(row.id, [])
            self.must(row.attempts == len(attempts), f"{self._named(row)}: the journal has {len(attempts)}")
            for attempt in attempts:
                self.must(attempt.ended_at is not None, f"{self._named(row)}: attempt {attempt.number} has no end")
            for batch in batches:
                self.must(batch.state in _WHY, f"{self._named(row)}: batch {batch.number} is {batch.state}")
                self.must(batch.settled_at is not None, f"{self._named(row)}: batch {batch.number} is not settled")

    def _nothing_overtakes(self) -> None:
        """In the journal: no attempt of a lane before what is before it was settled, and all attempts at that ended."""
        lanes: dict[str, list[Row[Any]]] = {}
        for row in self.deliveries:
            lanes.setdefault(row.ordering_key, []).append(row)
        for lane in lanes.values():
            self.must([self.turns[row.publication].sequence for row in lane] == list(range(4)), "a lane has no order")
            for before, after in pairwise(lane):
                begun = [one.started_at for one in self.attempts.get(after.id, [])]
                ended = [one.ended_at for one in self.attempts.get(before.id, []) if one.ended_at is not None]
                self.must(not begun or min(begun) >= max([before.settled_at, *ended]), f"{self._named(after)} overtook")

    def _each_is_out_once(self, channel: str) -> None:
        """On networks that know keys or can be asked: every post exactly once, and each under the one before."""
        seen: dict[str, Any]
        if channel == "x":
            seen = {post.id: post for post in self.scene.x.posts}
            self._in_order(channel, (post.text for post in self.scene.x.posts))
        else:
            seen = {post.uri: post for post in self.scene.bluesky.posts}
            self._in_order(channel, self._bluesky_arrivals())
        last: dict[int, str] = {}
        told = []
        for row in self.deliveries:
            if row.channel != channel:
                continue
            turn, named = self.turns[row.publication], self._named(row)
            self.counted[f"{channel} {row.state}"] += 1
            self.must(row.state in {Outcome.POSTED, Outcome.SUPERSEDED}, f"{named}: {row.state} {row.reason}")
            if row.state != Outcome.POSTED:
                continue
            ref = PostRef.read(row.ref).id
            told.append(ref)
            post = seen.get(ref)
            if post is None or turn_of(post.text) != (turn.incident, turn.sequence):
                self.must(holds=False, what=f"{named}: lost, {ref} shows {post}")
                continue
            self.must(post.parent == last.get(turn.incident), f"{named}: hangs under {post.parent}")
            last[turn.incident] = ref
        self.must(len(told) == len(set(told)), f"{channel}: one post counts for two deliveries")
        second = [turn_of(seen[ref].text) for ref in seen.keys() - set(told)]
        self.must(not second, f"{channel}: out, and not in the journal: {second}")

    def _bluesky_arrivals(self) -> Iterable[str]:
        asked = [seen for seen in self.scene.bluesky.requests if seen.path.endswith("putRecord")]
        return dict.fromkeys(json.loads(seen.body)["record"]["text"] for seen in asked)

    def _each_person_has_it(self, channel: str) -> None:
        """On networks that know no keys and cannot be asked."""
        got: dict[str, list[str]] = {address: [] for address in PEOPLE[channel]}
        if channel == "sms":
            for message in self.scene.sms.messages:
                got[message.to].append(message.text)
        else:
            for mail in self.scene.mail.mails:
                body = mail.message.get_body(("plain",))
                assert body is not None
                got[mail.recipient].append(" ".join(body.get_content().split()))
        extra = 0
        for address, texts in got.items():
            self._in_order(f"{channel} to {address}", dict.fromkeys(texts))
            copies = Counter(map(turn_of, texts))
            key = recipient_key(self.journal.keys, address)
            for row in self.deliveries:
                if row.channel != channel:
                    continue
                turn = self.turns[row.publication]
                mark = (turn.incident, turn.sequence)
                extra += self._one_person(row, key, address, copies.pop(mark, 0))
            self.must(not copies, f"{channel}: {address} has what nobody said: {copies}")
        self.counted[f"{channel} again"] = extra
        if channel == "email":
            at_once = min(CHUNK, len(PEOPLE[channel]))
            mails = [row for row in self.deliveries if row.channel == channel]
            doubts = self.scene.mail_doubts + at_once * sum(self._interrupted(self.attempts, row.id) for row in mails)
            self.must(extra <= doubts, f"{extra} second mails, {doubts} doubts")

    def _one_person(self, row: Row[Any], key: str, address: str, copies: int) -> int:
        table, of_key = schema.recipient, schema.person.c.key == key
        with self.journal.read() as connection:
            query = select(table).join(schema.person, schema.person.c.id == table.c.person)
            person = connection.execute(query.where(table.c.delivery == row.id, of_key)).first()
        named = f"{self._named(row)} to {address}"
        if person is None:  # superseded before the list was read to its end, or an end for those who had something
            excused = row.state == Outcome.SUPERSEDED or self.turns[row.publication].sequence > 0
            self.must(excused and copies == 0, f"{named}: not on the list")
            return 0
        self.counted[f"{row.channel} {person.state}"] += 1
        self.must(person.state in _WHY, f"{named}: {person.state}")
        doubts = self._interrupted(self.of_batch, person.batch)
        match person.state:
            case Outcome.POSTED:
                self.must(copies >= 1, f"{named}: lost")
            case Outcome.HELD:
                self.must(doubts > 0 or bool(person.reason), f"{named}: held, and neither interrupted nor unanswered")
                self.must(person.in_doubt, f"{named}: held, and not in doubt")
                self.must(row.id in self.listed, f"{named}: held, and not listed")
            case Outcome.SUPERSEDED:
                self.must(copies == 0, f"{named}: out, and called superseded")
            case _:
                pass
        if self.scene.installation.on_unknown == "hold":
            self.must(copies <= 1, f"{named}: {copies} times")
        if row.channel == "sms":
            doubts += sum(
                count
                for (number, text), count in self.scene.sms_doubts.items()
                if number.strip(" +") == address.strip("+") and turn_of(text) == self._mark_of(row)
            )
            self.must(copies <= 1 + doubts, f"{named}: {copies} times, {doubts} doubts")
        self.must(copies <= len(self.of_batch.get(person.batch, [])), f"{named}: {copies} times")
        return max(0, copies - 1)

    def _in_order(self, where: str, texts: Iterable[str]) -> None:
        """Readers get each incident's turns in order, leaving aside what is repeated."""
        shown: dict[int, list[int]] = {}
        for text in texts:
            incident, sequence = turn_of(text)
            shown.setdefault(incident, []).append(sequence)
        for incident, sequences in shown.items():
            self.must(sequences == sorted(sequences), f"{where}: incident {incident} came as {sequences}")

    def _interrupted(self, attempts: dict[int, list[Row[Any]]], of: int) -> int:
        return sum(one.code == "interrupted" for one in attempts.get(of, []))

    def _mark_of(self, row: Row[Any]) -> tuple[int, int]:
        turn = self.turns[row.publication]
        return turn.incident, turn.sequence

    def _named(self, row: Row[Any]) -> str:
        incident, sequence = self._mark_of(row)
        return f"{row.channel}, incident {incident}, point {sequence} ({row.attempts} attempts)"
