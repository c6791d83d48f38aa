"""A connection that the host's own framework has opened, as one of the toolkit's; its transaction stays the host's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, StaticPool, create_engine

# What would end the host's transaction, or change its connection for good.
_LEFT_ALONE = frozenset({"commit", "rollback", "close", "create_function", "add_notice_handler"})


class _Lent:
    """The driver's connection, without what is the host's to do."""

    def __init__(self, raw: object) -> None:
        self._raw = raw

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the driver has
        return _nothing if name in _LEFT_ALONE else getattr(self._raw, name)


def _nothing(*_given: object, **_named: object) -> None:
    pass


@contextmanager
def borrowed(raw: object) -> Iterator[Connection]:
    """The toolkit's view of a connection of `sqlite3` or psycopg 3, to be given to `publish(connection=…)`."""
    in_a_file = isinstance(raw, sqlite3.Connection)
    lent: Any = _Lent(raw)
    engine = create_engine(
        "sqlite://" if in_a_file else "postgresql+psycopg://",
        creator=lambda: lent,
        poolclass=StaticPool,
        hide_parameters=True,
        **({} if in_a_file else {"use_native_hstore": False}),  # which it would ask the real connection for
    )
    with engine.connect() as connection:
        yield connection
