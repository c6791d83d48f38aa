"""Keyed codes (HMAC) over what goes out. Each moment stores one, and the next moment checks it.

- When a message is published: wordings, account, post key and operation of each delivery.
- Before an attempt: the request. After it: the place of the post.
- When people are added to a batch: who they are.

Who can write the database, but has no keys, can hold deliveries back or repeat them. He cannot change what they
publish, or to whom.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Generator, Mapping
from typing import Any

from sqlalchemy import Connection, Row, select

from policenotify.channel import Operation, PostRef
from policenotify.journal.database import schema
from policenotify.journal.keys import Keys
from policenotify.journal.tombstones import is_whole
from policenotify.model.history import Outcome, Target
from policenotify.translation import AnyText, Text

_ROWS = 500  # rows read at once

_FROZEN = (
    "publication",
    "channel",
    "account",
    "language",
    "part",
    "post_key",
    "reply_to",
    "target",
    "has_recipients",
    "ordering_key",
    "sequence",
    "needs_opening",
    "not_after",
    "standalone",
    "reply",
)
"""The columns of a delivery that do not change between publishing and sending."""


def new_delivery(keys: Keys, target: Target, publication: str, /, **columns: object) -> dict[str, object]:
    """Return the row of a new delivery, with its code. It waits, and has no wording, unless *columns* state it."""
    row = {
        "publication": publication,
        "channel": target.channel,
        "account": target.account,
        "language": target.language,
        "part": target.part,
        "operation": target.operation,
        "post_key": target.post_key(publication),
        "reply_to": " ".join(target.reply_to),
        "state": Outcome.WAITING,
        **dict.fromkeys(("has_recipients", "needs_opening"), False),
        **dict.fromkeys(("standalone", "reply", "not_after")),
        **columns,
    }
    return {**row, "mac": keys.mac("delivery", _delivery(row, target.operation))}


def is_authentic(keys: Keys, row: Row[Any]) -> bool:
    """Return True if a delivery, and its request if it has one, are as this installation stored them.

    Raises:
        UnsupportedVersion: They were stored with newer keys.
    """
    operations = [row.operation]
    if row.operation == Operation.POST:  # an edit that is out of reach becomes a new post
        operations.append(Operation.EDIT)
    if not any(keys.is_mac("delivery", _delivery(row._asdict(), each), row.mac) for each in operations):
        return False
    request = _text(row.post_key, row.request_version, row.request)
    return row.request is None or keys.is_mac("request", request, row.request_mac)


def request_mac(keys: Keys, post_key: str, request_version: int, request: str) -> str:
    """Return the code of a request that is about to be sent."""
    return keys.mac("request", _text(post_key, request_version, request))


def batch_mac(keys: Keys, whole: str, number: int, people: Collection[int]) -> str:
    """Return the code of a batch of people. *whole* is that of their delivery, and *number* that of the batch."""
    return keys.mac("batch", _text(whole, number, sorted(people)))


def is_whole_batch(keys: Keys, whole: str, number: int, people: Collection[int], code: str) -> bool:
    """Return True if a batch has the people of whom *code* is the code; see `batch_mac`."""
    return keys.is_mac("batch", _text(whole, number, sorted(people)), code)


def ref_mac(keys: Keys, post_key: str, ref: str) -> str:
    """Return the code of a post's place, to which others reply, or which they edit or delete."""
    return keys.mac("ref", _text(post_key, ref))


def read_ref(keys: Keys, post_key: str, ref: str, code: str) -> PostRef:
    """Return where the post of a delivery is.

    Raises:
        ValueError: That is not what this installation stored, or it is damaged.
        UnsupportedVersion: It was stored with newer keys.
    """
    if not keys.is_mac("ref", _text(post_key, ref), code):
        raise ValueError(Text("the place of a post was changed in the database"))
    return PostRef.read(ref)


def forged_deliveries(connection: Connection, keys: Keys) -> Generator[AnyText, None, None]:
    """Yield what is wrong with each delivery that is not what this installation stored. Purged ones are passed over.

    Close it if you do not read it to its end: a server holds a cursor until then.
    """
    delivery, publication = schema.delivery, schema.publication
    query = (
        select(delivery, publication.c.message)
        .join(publication, publication.c.id == delivery.c.publication)
        .where(is_whole(), delivery.c.parent.is_(None))
        .order_by(delivery.c.id)
    )
    with connection.execute(query.execution_options(yield_per=_ROWS)) as rows:
        for row in rows:
            which = Text("delivery {id} of publication {publication}", id=row.id, publication=row.publication)
            if not is_authentic(keys, row):
                yield Text("{which} is not what was published", which=which)
            if row.ref is not None and not keys.is_mac("ref", _text(row.post_key, row.ref), row.ref_mac):
                yield Text("{which} does not name the post that was recorded", which=which)


def _delivery(columns: Mapping[str, Any], operation: str) -> str:
    return _text(*(columns[name] for name in _FROZEN), str(operation))


def _text(*values: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))
