"""An item: the document of one post in a feed, from which every format is drawn."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Final, Self

from pydantic import AwareDatetime, StringConstraints

from policenotify.errors import Refused
from policenotify.formats.cap.french_codes import CODES
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.model.post import Post, PostRef, PostWords
from policenotify.translation import Text

_ID: Final = re.compile(r"[0-9a-f]{16}")

ItemId = Annotated[str, StringConstraints(pattern=f"^{_ID.pattern}$")]
"""The first 16 digits of the post's key: 2 items in 6 billion share one with a probability of 1 in 2."""


class Item(PostWords):
    """One post of a feed.

    It holds only what may be public: the place is blurred, and the incident's id is not the dispatch system's.

    Attributes:
        thread: The id of its incident, or of the standalone message that it is or corrects, for its page.
        answers: The item that it corrects or follows, or `None` for the first one.
        message: The message with the words in all its languages, its place, severity and times.
        was_located: It was withdrawn, and a program could find its place before.
        withdrawn_at: When it was taken down, if it was. Its words and pictures are then empty.
    """

    thread: ItemId
    answers: ItemId | None = None
    published_at: AwareDatetime
    message: Message
    withdrawn_at: AwareDatetime | None = None
    was_located: bool = False

    @classmethod
    def of(cls, post: Post, reply_to: tuple[PostRef, ...], *, account: str) -> Self:
        """Return the item of a structured post.

        Args:
            post: The post.
            reply_to: The posts of its incident, from the opening to the one that it answers.
            account: The account of the channel. Posts of another one are left out.

        Raises:
            Refused: The post carries no message.
        """
        if post.message is None:
            raise Refused(
                Text("the post carries no message"),
                remedy=Text("The channel must claim the capability structured: report it."),
            )
        ours = [ref.id for ref in reply_to if ref.account == account and _ID.fullmatch(ref.id)]
        return cls(
            **{name: getattr(post, name) for name in PostWords.model_fields},
            message=post.message,
            thread=post.message.incident or (ours[0] if ours else post.key[:16]),
            answers=ours[-1] if ours else None,
            published_at=post.created_at,
        )

    @property
    def id(self) -> ItemId:
        """Its id in links: 16 hexadecimal digits."""
        return self.key[:16]

    @property
    def urn(self) -> str:
        """Its id in feeds, whatever the address: a UUID of version 8 from its key (RFC 9562, section 5.8)."""
        key, variant = self.key, "89ab"[int(self.key[16], 16) & 3]
        return f"urn:uuid:{key[:8]}-{key[8:12]}-8{key[13:16]}-{variant}{key[17:20]}-{key[20:32]}"

    def withdrawn(self, at: datetime) -> Self:
        """Return what stays of it: not a word, a place or a picture."""
        message = Message(
            category=self.message.category,
            lifecycle=self.message.lifecycle,
            headline="–",
            language=self.language,
            exercise=self.message.exercise,
        )
        empty = {"title": "", "text": "", "spans": (), "pictures": (), "place": "", "message": message}
        return self.model_copy(update={**empty, "withdrawn_at": at, "was_located": self.is_located})

    @property
    def is_located(self) -> bool:
        """Return True if a program can find its place, or could before it was withdrawn."""
        place = self.message.location
        if self.was_located or place is None:
            return self.was_located
        departments = {place.department, *place.also_departments}
        return bool(place.area or place.point or place.commune or departments & CODES.keys())

    @property
    def stage(self) -> Stage:
        """The stage of its message."""
        return self.message.stage
