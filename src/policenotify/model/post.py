"""A message as it is worded for one channel, and where it landed: the values that the journal stores as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticSerializationError

from policenotify.errors import UnsupportedVersion
from policenotify.model.lifecycle import Stage

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 in lower-case hexadecimal."""


class Operation(StrEnum):
    """What is done on the network. Each kind is journalled, claimed, retried and doubted alike."""

    POST = "post"
    EDIT = "edit"
    DELETE = "delete"


class _Stored(BaseModel):
    """A frozen value that the journal keeps as JSON: the same value, the same text.

    Its mappings are plain dictionaries, for the encoders of the SDKs: who needs to change one copies it first.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    schema_version: Literal[1] = 1

    @classmethod
    def read(cls, text: str | bytes) -> Self:
        """Read a stored value back.

        Raises:
            UnsupportedVersion: A newer policenotify wrote it.
            pydantic.ValidationError: It is no such value.
        """
        head = _Head.model_validate_json(text)
        if head.schema_version > 1:
            raise UnsupportedVersion(cls.__name__, head.schema_version, 1)
        return cls.model_validate_json(text)

    @model_validator(mode="after")
    def _can_be_stored(self) -> Self:
        try:
            self.__pydantic_serializer__.to_json(
                self
            )  # as `model_dump_json`, which costs twice that by its many options
        except PydanticSerializationError as error:  # half a surrogate pair in a network's answer
            raise ValueError("holds a text that cannot be stored as UTF-8") from error
        return self


class _Head(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(hide_input_in_errors=True)

    schema_version: int = Field(default=1, strict=True)


def _in_order(value: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    ordered: dict[str, JsonValue] = json.loads(json.dumps(value, sort_keys=True, allow_nan=False))
    return ordered


Body = Annotated[Mapping[str, JsonValue], AfterValidator(_in_order)]
"""A JSON object (RFC 8259): keys in order at all depths, no NaN, no infinity."""


class PostRef(_Stored):
    """Where a post landed.

    Attributes:
        account: The account it was posted from ([`Channel.account`][policenotify.channel.Channel]).
        id: The network's own id of the post.
        url: Where readers find it, if there is such a place.
        extra: The channel's own (Bluesky keeps the cid there).
    """

    account: str
    id: str
    url: str | None = None
    extra: Mapping[str, str] = Field(default_factory=dict)


class Span(BaseModel):
    """A part of a post's text that a network may link.

    Attributes:
        kind: What it is.
        start: First character, in code points of the text.
        end: One past the last character, in code points of the text.
        value: The URL, the tag without `#`, or the handle without `@`.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["url", "tag", "mention"]
    start: int = Field(ge=0)
    end: int = Field(gt=0)
    value: str


class Picture(BaseModel):
    """A picture as the journal holds it: stripped of all metadata, named by the SHA-256 of its bytes.

    Attributes:
        digest: SHA-256 of the bytes.
        media_type: `image/jpeg` or `image/png`.
        width: In pixels.
        height: In pixels.
        alt: What it shows, for those who cannot see it.
        data: The bytes; present when a channel prepares a post, never stored in JSON: a post read back has none.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    digest: Digest
    media_type: Literal["image/jpeg", "image/png"]
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    alt: str = Field(min_length=1)
    data: bytes = Field(default=b"", exclude=True, repr=False)


class Post(_Stored):
    """The wording of a message for one channel and language, inside its budget: what a reader will read.

    Attributes:
        key: SHA-256 naming this post for ever: the same key is the same post, across restarts and hosts.
        account: The account that it is meant for.
        stage: Where the message stands in its incident.
        category: The message's category code.
        language: BCP 47.
        text: What the reader reads. Hashtags and URLs are in it; `spans` says where.
        title: A short headline: the subject of a mail, the title of a link card.
        html: The formatted version, for networks that claim `html`.
        spans: What in `text` may be linked, in order, not overlapping.
        link: A page with more, or `None`. It stands in `text` where the rendering put it.
        pictures: What it shows.
        created_at: When it was said; strictly increasing over the posts of one publication.
        sender: The service's name.
        exercise: It is an exercise, and says so.
        variant: How often the network has certainly refused a request for this post and asked for another one.
        distinct: The text with what tells it from another post in the same words; empty where no network refuses those.
        distinct_spans: The same as `spans`, of that text.
    """

    key: Digest
    account: str
    stage: Stage
    category: str
    language: str
    text: str
    title: str = ""
    html: str = ""
    spans: tuple[Span, ...] = ()
    link: str | None = None
    pictures: tuple[Picture, ...] = ()
    created_at: AwareDatetime
    sender: str = ""
    exercise: bool = False
    variant: int = 0
    distinct: str = ""
    distinct_spans: tuple[Span, ...] = ()


class Request(_Stored):
    """What will be said to the network to bring a post out: frozen before the first attempt, repeated unchanged.

    Attributes:
        account: The account that will say it.
        key: The post's key.
        body: The call's arguments, the channel's own: canonical JSON, no secret.
    """

    account: str
    key: Digest
    body: Body
