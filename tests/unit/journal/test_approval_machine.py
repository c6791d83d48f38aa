"""Whatever three people, edits, stale pages, expiry and crashes do: nothing is published that too few have read."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from policenotify.errors import ApprovalMissing, DraftConflict, IdempotencyConflict, PolicenotifyError
from policenotify.journal import audit, open_journal, publications
from policenotify.journal.database import schema
from policenotify.journal.drafts import drafts
from policenotify.model.draft import Draft, DraftState, ReviewVerdict
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message, read
from policenotify.publishing.approval import ApprovalRule
from policenotify.publishing.publisher import Publisher
from tests.support.approval import REASON, appeal, reading_publisher

if TYPE_CHECKING:
    from tests.support.journal import Desk

PEOPLE = st.sampled_from(["claire", "hugo", "ines"])
TEXTS = st.sampled_from(["Un", "Deux", "Trois"])
READERS = {"missing_person": 2, "witness_appeal": 1, "arrest": 1, "recruitment": 0}
RULES = [ApprovalRule(categories=frozenset({code}), readers=count) for code, count in READERS.items()]
NUMBERS = itertools.count()


class Crash(BaseException):
    """The process is gone before its commit."""


@dataclass
class Model:
    category: str
    stage: Stage
    digests: list[str]  # of what was written
    pages: list[str]  # of what was shown
    authors: set[str]
    state: DraftState = DraftState.DRAFT
    approvals: set[str] = field(default_factory=set)
    expires: float = 0
    publication: str | None = None
    urgent: bool = False
    owed: bool = False
    publisher: str = ""
    key: str = ""

    @property
    def needed(self) -> int:
        return READERS[self.category]


@contextmanager
def crashing(*, crashes: bool) -> Iterator[None]:
    """Let the process die when it has written everything but its event."""
    modules: list[Any] = [drafts, publications] if crashes else []
    record = audit.record

    def die(*_given: Any, **_named: Any) -> None:
        raise Crash

    for module in modules:
        module.record = die
    try:
        yield
    finally:
        for module in modules:
            module.record = record


class ApprovalMachine(RuleBasedStateMachine):
    """Drafts of three people on one journal."""

    desk: Desk
    publisher: Publisher

    names = Bundle("names")

    def __init__(self) -> None:
        super().__init__()
        self.drafts: dict[str, Model] = {}
        self.first = self._newest()

    def _newest(self) -> int:
        with self.desk.journal.read() as connection:
            return connection.execute(select(func.max(schema.event.c.id))).scalar() or 0

    def _do(self, action: Callable[[], Any], *, allowed: bool, crashes: bool = False, quiet: bool = False) -> Any:
        """Do something that leaves exactly one event if it is allowed, and else none."""
        before, done = self._newest(), None
        try:
            with crashing(crashes=crashes and allowed):
                done = action()
        except Crash:
            assert self._newest() == before, "a crash left an event"
            return None
        except ApprovalMissing:
            assert not allowed
            return None
        except (DraftConflict, IdempotencyConflict):
            assert not allowed
            assert self._newest() == before
            return None
        assert allowed, "it should have been refused"
        assert self._newest() == before + (not quiet)
        return done

    def _message(self, model: Model | None, text: str, category: str, stage: Stage) -> Message:
        del model
        return appeal(text, category=category, lifecycle=Lifecycle(stage=stage))

    # --- what happens

    @initialize(target=names, authors=st.lists(PEOPLE, min_size=4, max_size=4))
    def begin(self, authors: list[str]) -> MultipleResults[str]:
        """One submitted draft of each category, so that short runs get to the approvals."""
        drafts = [self._draft(author, "Un", code) for author, code in zip(authors, sorted(READERS), strict=True)]
        for name, author in zip(drafts, authors, strict=True):
            self._submit(name, author, crashes=False)
        return multiple(*drafts)

    @rule(target=names, author=PEOPLE, text=TEXTS, category=st.sampled_from(sorted(READERS)), submits=st.booleans())
    def draft(self, author: str, text: str, category: str, *, submits: bool) -> str:
        name = self._draft(author, text, category)
        if submits:
            self._submit(name, author, crashes=False)
        return name

    def _draft(self, author: str, text: str, category: str) -> str:
        message = self._message(None, text, category, Stage.STANDALONE)
        made = self._do(lambda: self.publisher.drafts.create(message, actor=author), allowed=True)
        self.drafts[made.id] = Model(
            category, Stage.STANDALONE, [message.digest()], [made.digest], {author}, key=made.key
        )
        return str(made.id)

    @rule(name=names, author=PEOPLE, text=TEXTS, crashes=st.booleans())
    def edit(self, name: str, author: str, text: str, *, crashes: bool) -> None:
        model = self.drafts[name]
        message = self._message(model, text, model.category, model.stage)
        same = message.digest() == model.digests[-1] and model.state is not DraftState.RETURNED
        allowed = model.state.is_open and not self._expired(model)
        done = self._do(
            lambda: self.publisher.drafts.revise(name, message, actor=author),
            allowed=allowed,
            crashes=crashes and not same,
            quiet=same,
        )
        if done is not None and not same:
            model.digests.append(message.digest())
            model.pages.append(done.digest)
            model.authors.add(author)
            model.state, model.approvals = DraftState.DRAFT, set()

    @rule(name=names, actor=PEOPLE, crashes=st.booleans())
    def submit(self, name: str, actor: str, *, crashes: bool) -> None:
        self._submit(name, actor, crashes=crashes)

    def _submit(self, name: str, actor: str, *, crashes: bool) -> None:
        model = self.drafts[name]
        fresh = model.state is DraftState.DRAFT
        waits = model.state in {DraftState.SUBMITTED, DraftState.APPROVED} and not self._expired(model)
        done = self._do(
            lambda: self.publisher.drafts.submit(name, actor=actor),
            allowed=fresh or waits,
            crashes=crashes and fresh,
            quiet=waits,
        )
        if done is not None and fresh:
            model.state, model.expires = DraftState.SUBMITTED, self._now() + 7200
            model.pages.append(done.digest)

    @rule(name=names, readers=st.permutations(["claire", "hugo", "ines"]))
    def all_approve(self, name: str, readers: list[str]) -> None:
        for reader in readers:
            self.approve(name, reader, 0, crashes=False)

    @rule(name=names, reader=PEOPLE, page=st.sampled_from([0, 0, 1]), crashes=st.booleans())
    def approve(self, name: str, reader: str, page: int, *, crashes: bool) -> None:
        """Approve what some page showed, perhaps of an earlier revision."""
        model = self.drafts[name]
        digest = model.pages[max(-len(model.pages), -1 - page)]
        open_ = model.state in {DraftState.SUBMITTED, DraftState.APPROVED} and not self._expired(model)
        again = open_ and digest == model.pages[-1] and reader in model.approvals
        allowed = open_ and digest == model.pages[-1] and reader not in model.authors
        done = self._do(
            lambda: self.publisher.drafts.approve(name, digest=digest, actor=reader, publish=False),
            allowed=allowed,
            crashes=crashes and not again,
            quiet=again,
        )
        if done is not None and not again:
            model.approvals.add(reader)
            if len(model.approvals) >= max(1, model.needed):
                model.state = DraftState.APPROVED

    @rule(name=names, reader=PEOPLE, verdict=st.sampled_from([ReviewVerdict.RETURN, ReviewVerdict.REJECT]))
    def refuse(self, name: str, reader: str, verdict: ReviewVerdict) -> None:
        model = self.drafts[name]
        allowed = model.state in {DraftState.SUBMITTED, DraftState.APPROVED} and not self._expired(model)
        step = (
            self.publisher.drafts.return_to_author if verdict is ReviewVerdict.RETURN else self.publisher.drafts.reject
        )
        if self._do(lambda: step(name, digest=model.pages[-1], actor=reader, reason=REASON), allowed=allowed):
            model.state = DraftState.RETURNED if verdict is ReviewVerdict.RETURN else DraftState.REJECTED

    @rule(name=names, actor=PEOPLE)
    def withdraw(self, name: str, actor: str) -> None:
        model = self.drafts[name]
        again = model.state is DraftState.WITHDRAWN
        allowed = again or (model.state.is_open and not self._expired(model))
        if self._do(lambda: self.publisher.drafts.withdraw(name, actor=actor), allowed=allowed, quiet=again):
            model.state = DraftState.WITHDRAWN

    @rule(name=names, actor=PEOPLE, urgent=st.booleans(), crashes=st.booleans())
    def publish(self, name: str, actor: str, *, urgent: bool, crashes: bool) -> None:
        model = self.drafts[name]
        repeated = model.state is DraftState.PUBLISHED
        enough = len(model.approvals) >= model.needed
        opened = model.state in {DraftState.DRAFT, DraftState.SUBMITTED, DraftState.APPROVED}
        allowed = repeated or (opened and not self._expired(model) and (enough or urgent))
        done = self._do(
            lambda: self.publisher.drafts.publish(name, actor=actor, urgent=REASON if urgent else "", wait=0),
            allowed=allowed,
            crashes=crashes and not repeated,
            quiet=repeated,
        )
        if done is not None and not repeated:
            model.state, model.publication, model.publisher = DraftState.PUBLISHED, done.id, actor
            model.urgent = model.owed = not enough

    @rule(name=names, actor=PEOPLE, text=TEXTS)
    def publish_without_the_draft(self, name: str, actor: str, text: str) -> None:
        """Publish the same words without the draft, or others under its name."""
        model = self.drafts[name]
        message = self._message(model, text, model.category, model.stage)
        with suppress(PolicenotifyError):
            self.publisher.publish(message, key=f"without draft {next(NUMBERS)}", actor=actor, wait=0)
        if model.state is not DraftState.PUBLISHED and message.digest() != model.digests[-1]:
            with pytest.raises(DraftConflict):
                self.publisher.publish(message, key=model.key, actor=actor, wait=0, draft=name)

    @rule(name=names, reader=PEOPLE)
    def read_a_second_time(self, name: str, reader: str) -> None:
        model = self.drafts[name]
        allowed = model.owed and reader not in model.authors | {model.publisher}
        if self._do(lambda: self.publisher.drafts.second_reading(name, actor=reader), allowed=allowed):
            model.owed = False

    @rule(seconds=st.sampled_from([60, 600, 7200]))
    def time_passes(self, seconds: int) -> None:
        self.desk.clock.pass_by(seconds)

    # --- what always holds

    @invariant()
    def the_journal_agrees(self) -> None:
        for name, model in self.drafts.items():
            known = self.publisher.drafts.get(name)
            state = DraftState.EXPIRED if self._expired(model) else model.state
            assert (known.state, known.digest) == (state, model.pages[-1])
            assert (known.publication, set(known.authors)) == (model.publication, model.authors)
            assert set(known.approvals) == model.approvals
            assert (known.second_due_at is not None) == model.owed

    @invariant()
    def nothing_is_published_that_too_few_have_read(self) -> None:
        table, event = schema.publication, schema.event
        about = select(event.c.publication, event.c.body).where(event.c.kind == "published", event.c.id > self.first)
        with self.desk.journal.read() as connection:
            bodies = dict(connection.execute(about).all())
            published = select(table).where(table.c.state == "published", table.c.id.in_(list(bodies)))
            rows = connection.execute(published).all()
        for row in rows:
            needed = READERS[json.loads(row.message)["category"]]
            if not needed or "urgent" in json.loads(bodies[row.id]):
                continue
            own = self.publisher.drafts.get(row.id)
            assert own.digest == read(row.message).digest()
            readers = {
                review.reader
                for review in own.reviews
                if (review.verdict, review.digest) == (ReviewVerdict.APPROVE, own.digest)
            }
            assert len(readers - set(own.authors)) >= needed

    def teardown(self) -> None:
        self.desk.journal.audit.verify()

    def _now(self) -> float:
        return self.desk.clock.now().timestamp()

    def _expired(self, model: Model) -> bool:
        return model.state in {DraftState.SUBMITTED, DraftState.APPROVED} and model.expires <= self._now()


@pytest.mark.no_cover  # which would double its time
def test_nothing_is_published_that_too_few_have_read(desk: Desk) -> None:
    publisher = reading_publisher(desk.journal, rules=RULES)

    class Machine(ApprovalMachine):
        pass

    Machine.desk, Machine.publisher = desk, publisher
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            phases=[Phase.generate],  # the journal is not made anew, and to shrink an example would take minutes
            suppress_health_check=list(HealthCheck),
            deadline=None,
        ),
    )


# --- races


@pytest.mark.databases
@pytest.mark.no_cover  # the same
def test_an_approval_and_an_edit_at_the_same_time_are_never_both(desk: Desk) -> None:
    """In 50 races, an approved draft has the words that its reader saw, and what was edited is not published."""
    others = open_journal(desk.url, keys=desk.keys, clock=desk.clock)
    with closing(others):
        mine = reading_publisher(desk.journal, rules=[ApprovalRule()])
        theirs = reading_publisher(others, rules=[ApprovalRule()])
        for number in range(50):
            message = appeal(f"Appel {number}", lifecycle=Lifecycle())
            draft = mine.drafts.create(message, actor="claire")
            mine.drafts.submit(draft.id, actor="claire")
            gate = threading.Barrier(2)

            def approve(draft: Draft = draft, gate: threading.Barrier = gate) -> None:
                gate.wait()
                mine.drafts.approve(draft.id, digest=draft.digest, actor="hugo", wait=0)

            def edit(draft: Draft = draft, gate: threading.Barrier = gate) -> None:
                gate.wait()
                theirs.drafts.revise(draft.id, appeal("Autre", lifecycle=Lifecycle()), actor="claire")

            with ThreadPoolExecutor(2) as pool:
                both = pool.submit(approve), pool.submit(edit)
            errors = [done.exception() for done in both]
            assert all(isinstance(error, DraftConflict | None) for error in errors), errors
            approved, edited = (error is None for error in errors)
            known = mine.drafts.get(draft.id)
            assert approved or edited
            assert not (known.state is DraftState.PUBLISHED and edited), number
            if known.publication is not None:
                found = mine.operations.publication(known.publication)
                assert found is not None
                assert found.message.headline == f"Appel {number}"
            else:
                assert (known.digest != draft.digest, known.approvals) == (True, ())
        desk.journal.audit.verify()
