"""The images of messages, each stored once under its SHA-256."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from policenotify.channel import Picture
from policenotify.journal.database import schema


def store_pictures(connection: Connection, pictures: Iterable[Picture], at: int) -> None:
    """Store the images that the journal does not have."""
    table = schema.blob
    by_digest = {picture.digest: picture for picture in pictures}
    if not by_digest:
        return
    known = set(connection.execute(select(table.c.digest).where(table.c.digest.in_(by_digest))).scalars())
    for digest, picture in sorted(by_digest.items()):
        if digest not in known:
            row = {
                "digest": digest,
                "media_type": picture.media_type,
                "width": picture.width,
                "height": picture.height,
                "data": picture.data,
                "stored_at": at,
            }
            schema.insert_new(connection, table, [row])
