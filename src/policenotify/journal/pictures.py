"""The images of messages, each stored once under its SHA-256, and which publications and drafts show them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, delete, exists, select

from policenotify.channel import Picture
from policenotify.journal.database import schema

_blob, _shown = schema.blob, schema.picture


def store_pictures(connection: Connection, owner: str, pictures: Iterable[Picture]) -> None:
    """Store that a publication or draft shows some images, and the images that the journal does not have."""
    by_digest = {picture.digest: picture for picture in pictures}
    if not by_digest:
        return
    # A purge that runs at the same time waits for this lock, or this waits for the purge.
    known = select(_blob.c.digest).where(_blob.c.digest.in_(by_digest)).with_for_update(read=True, key_share=True)
    unknown = by_digest.keys() - set(connection.execute(known).scalars())
    blobs = [
        {column.name: getattr(picture, column.name) for column in _blob.c}
        for digest, picture in sorted(by_digest.items())
        if digest in unknown
    ]
    schema.insert_new(connection, _blob, blobs)
    schema.insert_new(connection, _shown, [{"owner": owner, "digest": digest} for digest in sorted(by_digest)])


def forget_pictures(connection: Connection, owners: Collection[str]) -> None:
    """Erase the images that only these publications and drafts show."""
    of_them = _shown.c.owner.in_(owners)
    digests = connection.execute(select(_shown.c.digest).where(of_them)).scalars().all()
    connection.execute(delete(_shown).where(of_them))
    # After waiting for a lock, only the next statement sees what the other process has published.
    images = _blob.c.digest.in_(digests)
    connection.execute(select(_blob.c.digest).where(images).order_by(_blob.c.digest).with_for_update()).all()
    connection.execute(delete(_blob).where(images, ~exists().where(_shown.c.digest == _blob.c.digest)))
