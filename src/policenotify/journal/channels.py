"""What all processes share about a channel: block, pause, rate limit, and its encrypted state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, bindparam, or_, select, update

from policenotify.channel import StateStore, StoredValue
from policenotify.errors import Blocked
from policenotify.journal.audit import RUNNER, record
from policenotify.journal.database import schema
from policenotify.journal.database.transactions import Repository, Transactions
from policenotify.journal.keys import Keys
from policenotify.journal.records import LONGEST_PAUSE, latest_pause, microseconds, moment, span, storable
from policenotify.model.rate import Rate, RateReached

_table, _state, _delivery = schema.channel, schema.channel_state, schema.delivery
_LIMITS = select(_table.c.name, _table.c.blocked_at, _table.c.paused_until, _table.c.tat)
_BLOCKED = select(_table).where(_table.c.blocked_at.is_not(None))
_NAMED = _table.c.name == bindparam("named")
_KNOWN = select(_table.c.name).where(_NAMED)
_ARRIVAL = select(_table.c.tat).where(_NAMED).with_for_update()
_USE_SLOT = update(_table).where(_NAMED).values(tat=bindparam("tat"))
_LAST_ACCOUNT = (
    select(_delivery.c.account)
    .where(_delivery.c.channel == bindparam("named"), _delivery.c.account != "")
    .order_by(_delivery.c.id.desc())
    .limit(1)
)
_BATCH = span(timedelta(seconds=1))  # recipients are gathered for this long: each batch costs a transaction


class Channels(Repository):
    """Blocks, pauses, rate limits and stored state of channels."""

    def block(self, channel: str, error: Blocked) -> bool:
        """Send nothing more on a channel until a person acts. Return False if it was blocked already."""
        values = {name: storable(getattr(error, name)) for name in ("reason", "remedy", "code")}
        with self._journal.write() as connection:
            now = self._journal.now()
            ensure_channel(connection, channel)
            blocked = connection.execute(
                update(_table)
                .where(_table.c.name == channel, _table.c.blocked_at.is_(None))
                .values(blocked_at=microseconds(now), **values)
            ).rowcount
            if blocked:
                body = {name: values[name] for name in ("reason", "code")}
                record(connection, now, RUNNER, "blocked", body, channel=channel)
        return bool(blocked)

    def blocked(self) -> dict[str, Blocked]:
        """Return the channels on which nothing is sent until a person acts, with the errors."""
        with self._journal.read() as connection:
            rows = connection.execute(_BLOCKED).all()
        return {row.name: Blocked(row.reason, remedy=row.remedy, code=row.code) for row in rows}

    def last_account(self, channel: str) -> str:
        """Return the account of the channel's last delivery. Empty if it had none."""
        with self._journal.read() as connection:
            return connection.execute(_LAST_ACCOUNT, {"named": channel}).scalar() or ""

    def pause(self, channel: str, until: datetime) -> None:
        """Send nothing on a channel before *until*, as the network asked, but at most for a day."""
        with self._journal.write() as connection:
            now = microseconds(self._journal.now())
            at = min(microseconds(until), now + span(LONGEST_PAUSE))
            ensure_channel(connection, channel)
            earlier = or_(
                _table.c.paused_until.is_(None), _table.c.paused_until < at, _table.c.paused_until > latest_pause(now)
            )
            connection.execute(update(_table).where(_table.c.name == channel, earlier).values(paused_until=at))

    def opens_at(self, rates: Mapping[str, Rate | None]) -> dict[str, datetime]:
        """Return when the next post may be sent on each channel, without those where it may be sent now."""
        with self._journal.read() as connection:
            now = microseconds(self._journal.now())
            opens = opens_at(connection, rates, now)
            return {name: moment(at) for name, at in opens.items() if at is not None and at > now}

    def state_store(self, channel: str) -> StateStore:
        """Return the state of one channel, shared by all processes."""
        return JournalStateStore(self._journal, channel)


class JournalStateStore:
    """State of one channel, encrypted in the journal: sessions and rotating tokens."""

    def __init__(self, journal: Transactions, channel: str) -> None:
        self._journal = journal
        self._channel = channel

    def load(self, name: str) -> StoredValue | None:
        """Return the value under *name*, if there is one."""
        with self._journal.read() as connection:
            row = connection.execute(select(_state).where(*self._of(name))).first()
        if row is None:
            return None
        text = self._journal.keys.unseal(_purpose(self._channel, name), row.key_version, row.sealed)
        return StoredValue(text, row.version)

    def compare_and_swap(self, name: str, value: str, *, version: int | None) -> bool:
        """Replace the value if its version is still *version*, or store it if there is none."""
        key_version, sealed = self._journal.keys.seal(_purpose(self._channel, name), value)
        row = {"version": (version or 0) + 1, "key_version": key_version, "sealed": sealed}
        with self._journal.write() as connection:
            if version is None:
                return bool(schema.insert_new(connection, _state, [{"channel": self._channel, "name": name, **row}]))
            swap = update(_state).where(*self._of(name), _state.c.version == version)
            return bool(connection.execute(swap.values(row)).rowcount)

    def _of(self, name: str) -> tuple[ColumnElement[bool], ...]:
        return _state.c.channel == self._channel, _state.c.name == name

    @contextmanager
    def lease(self, name: str, *, seconds: float) -> Iterator[None]:
        """Hold an exclusive lock on *name* across processes; see `Journal.lock`."""
        with self._journal.lock(f"{name!r} of channel {self._channel!r}", seconds=seconds):
            yield


def seal_states_again(connection: Connection, keys: Keys) -> int:
    """Encrypt the stored states of all channels with the newest keys. Return their number."""
    rows = connection.execute(select(_state).where(_state.c.key_version < keys.version)).all()
    for row in rows:
        purpose = _purpose(row.channel, row.name)
        version, sealed = keys.seal(purpose, keys.unseal(purpose, row.key_version, row.sealed))
        one = update(_state).where(_state.c.channel == row.channel, _state.c.name == row.name)
        connection.execute(one.values(key_version=version, sealed=sealed))
    return len(rows)


def _purpose(channel: str, name: str) -> str:
    return f"keep {channel} {name}"


def unblock(connection: Connection, channel: str, actor: str, *, now: datetime, waits: bool = False) -> None:
    """Reopen a channel that is blocked or paused, or on which something *waits* for another reason."""
    changed = connection.execute(
        update(_table)
        .where(_table.c.name == channel, or_(_table.c.blocked_at.is_not(None), _table.c.paused_until.is_not(None)))
        .values(blocked_at=None, paused_until=None, reason="", remedy="", code="")
    ).rowcount
    if changed or waits:
        record(connection, now, actor, "resumed", {}, channel=channel)


def opens_at(connection: Connection, rates: Mapping[str, Rate | None], now: int) -> dict[str, int | None]:
    """Return from when on each channel may send, honouring pauses and rates. None: not before a person acts."""
    opens: dict[str, int | None] = dict.fromkeys(rates, now)
    for row in connection.execute(_LIMITS):  # of all channels: they are few
        if row.name not in opens:
            continue
        rate = rates[row.name]
        paused = row.paused_until or 0
        if paused > latest_pause(now):
            paused = 0
        at = max(paused, rate.free_at(row.tat, now) if rate else 0, now)
        opens[row.name] = at if row.blocked_at is None else None
    return opens


def use_slots(connection: Connection, channel: str, rate: Rate, now: int, posts: int = 1) -> None:
    """Count one post, or as many as `free_slots` allowed, against the channel's rate. A negative number gives back.

    Raises:
        RateReached: None may be sent yet. Nothing is changed.
    """
    arrival = _locked(connection, channel)
    if posts > 0 and not rate.free(arrival, now):
        raise RateReached(rate.free_at(arrival, now))
    connection.execute(_USE_SLOT, {"named": channel, "tat": rate.after(arrival, now, posts)})


def free_slots(connection: Connection, channel: str, rate: Rate, now: int, limit: int) -> int:
    """Return how many recipients may be written to now, at most *limit*. `use_slots` counts them.

    Raises:
        RateReached: None may be written to yet.
    """
    arrival = _locked(connection, channel)
    if free := min(rate.free(arrival, now), limit):
        return free
    batch_at = rate.free_at(arrival, now, min(limit, rate.at_once))
    raise RateReached(min(batch_at, max(rate.free_at(arrival, now), now + _BATCH)))


def ensure_channel(connection: Connection, channel: str) -> None:
    """Create the channel's row unless it exists."""
    if connection.execute(_KNOWN, {"named": channel}).first() is None:
        schema.insert_new(connection, _table, [{"name": channel}])


def _locked(connection: Connection, channel: str) -> int | None:
    """Lock the channel's row. Return the limiter's theoretical arrival time."""
    ensure_channel(connection, channel)
    arrival: int | None = connection.execute(_ARRIVAL, {"named": channel}).scalar_one()
    return arrival
