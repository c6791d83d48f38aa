"""An item: the document of one post in a feed, from which every format is drawn."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from policenotify.errors import Refused, UnsupportedVersion
from policenotify.formats.places import is_located
from policenotify.formats.words import words_in
from policenotify.model.lifecycle import FrozenModel, Stage
from policenotify.model.message import Message
from policenotify.model.post import Digest, EventInfo, Picture, Post, PostRef, Span
from policenotify.translation import Text

SCHEMA_VERSION = 1
"""The version of the item's JSON that this release writes."""

_ID: Final = re.compile(r"[0-9a-f]{16}")

ItemId = Annotated[str, StringConstraints(pattern=f"^{_ID.pattern}$")]
"""The first 16 digits of the post's key: 2 items in 6 billion share one with a probability of 1 in 2."""


class Item(FrozenModel):
    """One post of a feed.

    It holds only what may be public: the place is blurred, and the incident's id is not the dispatch system's.

    Attributes:
        schema_version: The version of this JSON form.
        key: The post's key.
        thread: The id of its incident, or of the standalone message that it is or corrects, for its page.
        answers: The item that it corrects or follows, or `None` for the first one.
        language: BCP 47, the language of `title` and `text`.
        title: The headline with the stage in brackets.
        text: The whole wording, in paragraphs.
        spans: The parts of `text` that may be linked.
        pictures: The pictures, without their bytes.
        published_at: The time of publication.
        sender: The service's name.
        message: The message with the words in all its languages, its place, severity and times.
        event: What its category means to warning systems.
        was_located: It was withdrawn, and a program could find its place before.
        withdrawn_at: When it was taken down, if it was. Its words and pictures are then empty.
    """

    schema_version: Literal[1] = 1
    key: Digest
    thread: ItemId
    answers: ItemId | None = None
    language: str
    title: str
    text: str
    spans: tuple[Span, ...] = ()
    pictures: tuple[Picture, ...] = ()
    published_at: AwareDatetime
    sender: str = ""
    message: Message
    event: EventInfo | None = None
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
            key=post.key,
            thread=post.message.incident or (ours[0] if ours else post.key[:16]),
            answers=ours[-1] if ours else None,
            language=post.language,
            title=post.title,
            text=post.text,
            spans=post.spans,
            pictures=post.pictures,
            published_at=post.created_at,
            sender=post.sender,
            message=post.message,
            event=post.event,
        )

    @classmethod
    def read(cls, text: str | bytes) -> Self:
        """Read a stored item.

        Raises:
            UnsupportedVersion: A newer policenotify wrote it.
            pydantic.ValidationError: The text is not an item.
        """
        head = _Head.model_validate_json(text)
        if head.schema_version > SCHEMA_VERSION:
            raise UnsupportedVersion(cls.__name__, head.schema_version, SCHEMA_VERSION)
        return cls.model_validate_json(text)

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
        """Return what stays of it: no word, no place and no picture."""
        message = Message(
            category=self.message.category,
            lifecycle=self.message.lifecycle,
            headline=words_in(self.language).withdrawn,
            language=self.language,
            exercise=self.message.exercise,
        )
        empty = {"title": "", "text": "", "spans": (), "pictures": (), "message": message}
        return self.model_copy(update={**empty, "withdrawn_at": at, "was_located": self.is_located})

    @property
    def is_located(self) -> bool:
        """Return True if a program can find its place, or could before it was withdrawn."""
        return self.was_located or is_located(self.message.location)

    @property
    def stage(self) -> Stage:
        """The stage of its message."""
        return self.message.stage


class _Head(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(hide_input_in_errors=True, defer_build=True)

    schema_version: int = Field(default=1, strict=True)
