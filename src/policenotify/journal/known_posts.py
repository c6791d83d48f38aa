"""Which posts on an account are known as some delivery's: none of them is ever taken for another one's."""

from __future__ import annotations

import json
from typing import Final

from sqlalchemy import Connection, select

from policenotify.channel import PostRef
from policenotify.journal import schema

_BEFORE: Final = 2_000
"""So many deliveries before one may have been said after it was first tried; those after it count all."""

_table = schema.delivery


def posts_of_others(connection: Connection, delivery: int, account: str, *, named: str | None = None) -> frozenset[str]:
    """The ids of posts that are other deliveries' on this account.

    Args:
        connection: To the journal.
        delivery: Whose posts do not count.
        account: Where.
        named: Only this one.
    """
    query = (
        select(_table.c.ref)
        .where(_table.c.id >= delivery - _BEFORE, _table.c.id != delivery)
        .where(_table.c.account == account, _table.c.ref.is_not(None), _table.c.mass.is_(False))
    )
    if named is not None:
        query = query.where(_table.c.ref.contains(json.dumps(named, ensure_ascii=False), autoescape=True))
    found = frozenset(PostRef.read(ref).id for ref in connection.execute(query).scalars())
    return found if named is None else found & {named}
