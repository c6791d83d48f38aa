"""A journal without networks: it drafts, stores, claims and settles like the publisher and its runners."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, cast

from sqlalchemy import event, func, insert, select

from policenotify.audiences.model import Row
from policenotify.channel import (
    Capabilities,
    ChannelConfig,
    Operation,
    Picture,
    Post,
    PostRef,
    RecipientOutcome,
    Request,
)
from policenotify.delivery.batch import ListSender
from policenotify.findings import Finding
from policenotify.journal import open_journal
from policenotify.journal.database import schema
from policenotify.journal.database.engine import open_engine
from policenotify.journal.journal import Journal
from policenotify.journal.keys import Keys
from policenotify.journal.lists.recipients import recipient_key
from policenotify.journal.lists.state import BATCH, read_cursor
from policenotify.journal.records import AttemptResult, ClaimedDelivery, NewPublication
from policenotify.model.cap import Severity
from policenotify.model.history import Outcome, RenderedPost, Target
from policenotify.model.lifecycle import IncidentStatus, Lifecycle, Stage, next_status
from policenotify.model.message import Message, Translation
from policenotify.model.rate import Rate
from policenotify.testing.fakes import FakeClock
from policenotify.text import Budget
from tests.support.audiences import ListedPeople
from tests.support.postgresql import APPLICATION, USER

ACCOUNT = "police34.example"
LEASE = timedelta(minutes=2)
Told = Literal["posted", "refused", "unavailable", "unconfirmed"]

_written_over = re.compile(
    r"\s*(UPDATE|DELETE\s+FROM|REPLACE|INSERT\s+OR\s+REPLACE\s+INTO)\s+\"?pn_event\b", re.IGNORECASE
)


def _only_added(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
    assert not _written_over.match(statement), statement


def is_list(claimed: ClaimedDelivery) -> bool:
    """Return True if the lists of a delivery are to be read, before anything is sent."""
    return claimed.has_recipients and claimed.parent is None


def filled(
    journal: Journal,
    claimed: ClaimedDelivery,
    people: Sequence[str | Row],
    siblings: Collection[str] = (),
    *,
    size: int = BATCH,
) -> ClaimedDelivery | None:
    """Make a batch of the people of a claimed delivery, as a worker does before it sends. Else release it."""
    maker = ListSender(
        journal=journal,
        channel=cast("Any", None),  # it makes batches only
        clock=journal.clock,
        config=ChannelConfig(
            name=claimed.channel,
            network="scripted",
            account=claimed.account,
            capabilities=Capabilities(budget=Budget(1_000), recipients=True),
            open=lambda _clock, _store: None,
            audiences=(ListedPeople(people),),
            retired=True,
        ),
        siblings=siblings,
        lease=LEASE,
        size=size,
    )
    made = maker.make_batch(claimed)
    if isinstance(made, ClaimedDelivery):
        return made
    journal.deliveries.record_result(claimed, made)
    return None


def events(journal: Journal) -> int:
    """Return how many events were recorded: none more, if nothing was changed."""
    with journal.read() as connection:
        return int(connection.execute(select(func.count()).select_from(schema.event)).scalar_one())


class Desk:
    """One installation with a journal in *folder*, or at *url*. Its clock moves only when set."""

    def __init__(self, folder: Path, *, keys: Keys, clock: FakeClock, url: str = "", first: int = 1) -> None:
        self.path = folder / "journal.db"
        self.url = url or str(self.path)
        self.keys = keys
        self.clock = clock
        self.journal: Journal = open_journal(self.url, keys=keys, clock=clock, create=True)
        event.listen(self.journal._engine, "before_cursor_execute", _only_added)
        self._ids = itertools.count(first)
        self.siblings: Collection[str] = ()
        self.size = BATCH
        self.lists: dict[tuple[str, str], tuple[str | Row, ...]] = {}

    def change_directly(self, script: str) -> None:
        """Change the database behind the journal's back, as the owner of its tables."""
        engine = open_engine(self.url.replace(f"//{APPLICATION}@", f"//{USER}@"))
        with closing(engine.raw_connection()) as connection:
            for statement in script.split("; "):
                connection.cursor().execute(statement)
            connection.commit()
        engine.dispose()

    # --- saying

    def draft(  # a publication has many sides
        self,
        stage: Stage = Stage.OPENING,
        incident: str | None = "I1",
        *,
        channels: Sequence[str] = ("sky",),
        languages: Sequence[str] = ("fr",),
        people: Mapping[str, Sequence[str | Row]] | None = None,
        severity: Severity = Severity.MODERATE,
        corrects: str | None = None,
        key: str | None = None,
        headline: str = "Accident sur l’A9",
        lives: timedelta | None = None,
        account: str = ACCOUNT,
        skips: Sequence[str] = (),
        skip: str = "",
        pictures: tuple[Picture, ...] = (),
        findings: tuple[Finding, ...] = (),
        **fields: Any,
    ) -> NewPublication:
        at, publication = self.clock.now(), f"{next(self._ids):026d}"
        self.lists.update({(publication, channel): tuple(mass) for channel, mass in (people or {}).items()})
        incident = None if stage is Stage.STANDALONE else incident
        message = Message(
            category="traffic_accident",
            severity=severity,
            headline=headline,
            lifecycle=Lifecycle(stage=stage, incident=incident, corrects=corrects),
            translations=tuple(Translation(language=other, headline=headline) for other in languages[1:]),
            **fields,
        )
        before = self.journal.incidents.history(incident) if incident else None
        answers = tuple(entry.publication for entry in before.entries) if before else ()
        course = IncidentStatus.STANDALONE if stage is Stage.STANDALONE else IncidentStatus.UNKNOWN
        if before:
            course = next_status(before.status, stage, incident=incident)
        elif corrects:
            answers, course = (
                (corrects,),
                IncidentStatus.CANCELLED if stage is Stage.CANCELLATION else IncidentStatus.STANDALONE,
            )
        posts: list[RenderedPost] = []
        for channel, (part, language) in itertools.product(channels, enumerate(languages)):
            named = f"{publication} {channel} {language} {part}"
            leg = Target(
                channel=channel,
                account=account,
                language=language,
                operation=Operation.POST,
                part=part,
                reply_to=answers,
            )
            post = Post(
                key=hashlib.sha256(named.encode()).hexdigest(),
                account=account,
                stage=stage,
                category="traffic_accident",
                language=language,
                text=headline,
                created_at=at,
            )
            posts.append(RenderedPost(target=leg, standalone=post, reply=post if answers else None))
        return NewPublication(
            id=publication,
            key=key or f"key {publication}",
            digest=message.digest(),
            message=message,
            status=course,
            expected_sequence=len(answers) + 1 if incident else 0,
            actor="cne Roux",
            at=at,
            not_after=at + lives if lives else None,
            due_at=at + timedelta(hours=2) if course is IncidentStatus.OPEN else None,
            findings=findings,
            rules={"fr": "1"},
            posts=() if skip else tuple(posts),
            targets=tuple(replace(post.target, skip=skip) for post in posts) if skip else (),
            with_recipients=frozenset(people or ()),
            pictures=pictures,
            skips_without_opening=frozenset(skips),
        )

    def expand(self, channel: str = "mail") -> bool:
        """Store the people of the channel's next delivery, without sending. Return whether there are any."""
        claimed = self.claim(channel)
        if claimed is not None:
            self.journal.deliveries.record_result(claimed, AttemptResult(outcome=Outcome.WAITING))
        return claimed is not None

    def publish(self, *args: Any, **kwargs: Any) -> str:
        return self.journal.publications.add(self.draft(*args, **kwargs))

    # --- delivering

    def claim(
        self,
        channel: str = "sky",
        owner: str = "runner A",
        *,
        lease: timedelta = LEASE,
        severe_only: bool = False,
        rate: Rate | None = None,
    ) -> ClaimedDelivery | None:
        self.journal.deliveries.recover()  # as a drain does at its start
        while claimed := self.journal.deliveries.claim(channel, owner, lease=lease, severe_only=severe_only, rate=rate):
            if not is_list(claimed) or (claimed := self.fill(claimed)):
                return claimed
        return None

    def fill(self, claimed: ClaimedDelivery) -> ClaimedDelivery | None:
        """Make a batch, from the list that was given to `publish`."""
        of_others = (people for (_, channel), people in self.lists.items() if channel == claimed.channel)
        people = self.lists.get((claimed.publication, claimed.channel))
        return filled(
            self.journal, claimed, next(of_others, ()) if people is None else people, self.siblings, size=self.size
        )

    def take(self, channel: str = "sky", owner: str = "runner A") -> ClaimedDelivery:
        claimed = self.claim(channel, owner)
        assert claimed is not None, f"nothing to claim on {channel}"
        return claimed

    def begin(self, claimed: ClaimedDelivery, *, rate: Rate | None = None) -> ClaimedDelivery:
        wording = claimed.wording or ("reply" if claimed.reply and claimed.reply_to else "standalone")
        request = claimed.request or Request(account=ACCOUNT, key="0" * 64, body={"delivery": claimed.id})
        return self.journal.deliveries.begin(claimed, request, wording, rate=rate)

    def settle(self, claimed: ClaimedDelivery, outcome: Outcome = Outcome.POSTED, **said: Any) -> None:
        if outcome is Outcome.POSTED:
            said = {"ref": self.ref(claimed), **said}
        self.journal.deliveries.record_result(claimed, AttemptResult(outcome=outcome, **said))

    def ref(self, claimed: ClaimedDelivery) -> PostRef:
        return PostRef(account=ACCOUNT, id=f"post of {claimed.id}")

    def deliver(self, channel: str = "sky", outcome: Outcome = Outcome.POSTED, **said: Any) -> ClaimedDelivery:
        claimed = self.begin(self.take(channel))
        self.settle(claimed, outcome, **said)
        return claimed

    def people(
        self,
        claimed: ClaimedDelivery,
        limit: int = 25,
        *,
        hold_doubt: bool = True,
        rate: Rate | None = None,
        outcomes: Mapping[str, Told] | None = None,
    ) -> list[str]:
        """Mark the next people of a batch, after what became of those before. Return their addresses."""
        found = [RecipientOutcome(key=self.person_key(one), outcome=told) for one, told in (outcomes or {}).items()]
        people = self.journal.deliveries.take(
            claimed,
            limit,
            hold_doubt=hold_doubt,
            lease=LEASE,
            rate=rate,
            outcomes=None if outcomes is None else found,
        )
        return [person.address for person in people]

    def suppress(self, address: str, channel: str = "mail") -> None:
        """Suppress a recipient on a channel, as two reports of its network do."""
        key = recipient_key(self.keys, address)
        row = {"channel": channel, "key": key, "source": "bounce", "evidence": "x", "at": 1}
        with self.journal.write() as connection:
            connection.execute(insert(schema.suppression), row)

    def mail(
        self, told: Mapping[str, Told] | None = None, *, channel: str = "mail", hold_doubt: bool = True, chunk: int = 25
    ) -> list[str]:
        """Make one attempt at the channel's next batch. Return the addresses sent to, in order.

        What follows an earlier message goes on with its other batches.
        """
        claimed, written = self.begin(self.take(channel)), list[str]()
        before: dict[str, Told] | None = None
        while people := self.people(claimed, chunk, hold_doubt=hold_doubt, outcomes=before):
            written += people
            before = {person: (told or {}).get(person, "posted") for person in people}
        again = self.clock.now() + timedelta(seconds=30)
        ref = PostRef(account=ACCOUNT, id="0" * 64)
        self.journal.deliveries.record_result(
            claimed, AttemptResult(outcome=Outcome.WAITING, not_before=again, ref=ref, of_people=True)
        )
        if self._reads_earlier(claimed):
            following = self.claim(channel)
            if following is not None:
                self.journal.deliveries.record_result(following, AttemptResult(outcome=Outcome.WAITING))
                if following.parent == claimed.parent:
                    written += self.mail(told, channel=channel, hold_doubt=hold_doubt, chunk=chunk)
        return written

    def _reads_earlier(self, claimed: ClaimedDelivery) -> bool:
        with self.journal.read() as connection:
            row = connection.execute(select(schema.delivery).where(schema.delivery.c.id == claimed.parent)).one()
        return bool(row.reading and read_cursor(row.cursor).earlier)

    # --- looking

    def outcomes(self, publication: str) -> dict[str, Outcome]:
        found = self.journal.publications.get(publication)
        assert found is not None
        return {receipt.channel: receipt.outcome for receipt in found}

    def outcome(self, publication: str, channel: str = "sky") -> Outcome:
        return self.outcomes(publication)[channel]

    def person_key(self, address: str) -> str:
        """Return the opaque key of a recipient."""
        return recipient_key(self.keys, address)

    def person(self, publication: str, address: str) -> Outcome | None:
        """Return the result of a publication for one recipient."""
        one, person = schema.delivery, schema.recipient
        query = (
            select(person.c.state)
            .join(one, one.c.id == person.c.delivery)
            .join(schema.person, schema.person.c.id == person.c.person)
            .where(one.c.publication == publication, schema.person.c.key == recipient_key(self.keys, address))
        )
        with self.journal.read() as connection:
            state = connection.execute(query).scalar()
        return Outcome(state) if state else None

    def dump(self, *tables: str) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of the tables (by default of every table), to see whether anything changed."""
        wanted = [schema.metadata.tables[name] for name in tables] if tables else schema.metadata.sorted_tables
        with self.journal.read() as connection:
            return {table.name: [tuple(row) for row in connection.execute(select(table))] for table in wanted}
