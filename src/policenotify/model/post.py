"""A post, its request and its reference: JSON values in the journal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
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
from policenotify.model.cap import CapCategory, ResponseType
from policenotify.model.languages import best_match
from policenotify.model.lifecycle import FrozenModel, Stage
from policenotify.model.message import Message
from policenotify.translation import Text

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 in lower-case hexadecimal."""


class Operation(StrEnum):
    """The kind of a delivery: what it does on the network."""

    POST = "post"
    EDIT = "edit"
    DELETE = "delete"


class Versioned(FrozenModel):
    """A frozen value that is stored as JSON, with the version of its form."""

    schema_version: Literal[1] = 1

    @classmethod
    def read(cls, text: str | bytes) -> Self:
        """Read a stored value.

        Raises:
            UnsupportedVersion: A newer policenotify wrote it.
            pydantic.ValidationError: The text is not such a value.
        """
        head = _Head.model_validate_json(text)
        if head.schema_version > 1:
            raise UnsupportedVersion(cls.__name__, head.schema_version, 1)
        return cls.model_validate_json(text)


class _Stored(Versioned):
    """A value that the journal stores as JSON. Equal values have equal JSON.

    Its mappings are plain dictionaries, for the encoders of the SDKs. Copy one before changing it.
    """

    @model_validator(mode="after")
    def _can_be_stored(self) -> Self:
        try:
            self.__pydantic_serializer__.to_json(self)  # half the cost of `model_dump_json` with its many options
        except PydanticSerializationError as error:  # half a surrogate pair in a network's answer
            raise ValueError(Text("holds a text that cannot be stored as UTF-8")) from error
        return self


class _Head(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(hide_input_in_errors=True, defer_build=True)

    schema_version: int = Field(default=1, strict=True)


def _in_order(value: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    ordered: dict[str, JsonValue] = json.loads(json.dumps(value, sort_keys=True, allow_nan=False))
    return ordered


Body = Annotated[Mapping[str, JsonValue], AfterValidator(_in_order)]
"""A JSON object (RFC 8259): keys sorted at all depths, no NaN, no infinity."""


# RFC 3986, section 2: a host in ASCII, without a user, and no character that ends an attribute of HTML
_PAGE_URL = re.compile(
    r"https?://(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?(?:[/?#][A-Za-z0-9._~:/?#@!$&()*+,;=%-]*)?",
    re.IGNORECASE,
)
_LONGEST_URL = 2_000  # characters


def page_url(url: str | None) -> str | None:
    """Return a page's address as a server names it, or `None` if it is not one that people may safely click."""
    return url if url and len(url) <= _LONGEST_URL and _PAGE_URL.fullmatch(url) else None


class PostRef(_Stored):
    """The reference of a post on its network.

    Attributes:
        account: The account that posted it ([`Channel.account`][policenotify.channel.Channel]).
        id: The network's own id of the post.
        url: Its page for readers, if it has one. It is `None` for anything but http or https to a host in ASCII.
        extra: Values of the channel's own, such as Bluesky's cid.
    """

    account: str
    id: str
    url: Annotated[str | None, AfterValidator(page_url)] = None
    extra: Mapping[str, str] = Field(default_factory=dict)


class Span(FrozenModel):
    """A part of a post's text that a network may link.

    Attributes:
        start: First character, in code points of the text.
        end: One past the last character, in code points of the text.
        value: The URL, the tag without `#`, or the handle without `@`.
    """

    kind: Literal["url", "tag", "mention"]
    start: int = Field(ge=0)
    end: int = Field(gt=0)
    value: str


class Picture(FrozenModel):
    """An image as stored in the journal, re-encoded without metadata.

    Attributes:
        digest: SHA-256 of the bytes.
        width: In pixels.
        height: In pixels.
        alt: The description for readers who cannot see it.
        data: The bytes while a channel prepares a post. They are never part of the JSON.
    """

    digest: Digest
    media_type: Literal["image/jpeg", "image/png"]
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    alt: str = Field(min_length=1)
    data: bytes = Field(default=b"", exclude=True, repr=False)


class EventInfo(FrozenModel):
    """What a message's category means to warning systems: a part of its profile.

    Attributes:
        labels: Its public name by language.
        categories: CAP 1.2 `category`, the main one first.
        code: Code in the *OASIS Event Terms List* 1.2. If empty, it is not exported to CAP.
        responses: CAP 1.2 `responseType`.
        lifetime: How long without news until the end is overdue.
    """

    labels: Mapping[str, str]
    categories: tuple[CapCategory, ...] = (CapCategory.OTHER,)
    code: str = ""
    responses: tuple[ResponseType, ...] = ()
    lifetime: timedelta | None = None

    def label(self, language: str) -> str:
        """Return the public name in a language, or the first one."""
        return best_match(language, self.labels) or next(iter(self.labels.values()))


class PostWords(Versioned):
    """The words of a message in one language, and what other systems read with them.

    Attributes:
        key: SHA-256 that identifies this post across restarts and hosts.
        text: The text that readers see, with hashtags and URLs in it.
        title: A short headline: the subject of a mail, the title of a link card.
        spans: The parts of `text` that may be linked, in order, not overlapping.
        sender: The service's name.
        event: What its category means to warning systems, for networks that claim `structured`.
        place: The place in words, for the same networks: `Montpellier, avenue de Toulouse (Hérault)`.
    """

    key: Digest
    language: str
    text: str
    title: str = ""
    spans: tuple[Span, ...] = ()
    pictures: tuple[Picture, ...] = ()
    sender: str = ""
    event: EventInfo | None = None
    place: str = ""


class Post(PostWords, _Stored):
    """The wording of a message for one channel and language, inside its budget.

    Attributes:
        html: The formatted version, for networks that claim `html`.
        link: A page with more, or `None`. It is also in `text`.
        created_at: The time of publication, strictly increasing over the posts of one publication.
        exercise: It is an exercise, and marked as one.
        variant: How often a request for this post was certainly refused and prepared again.
        distinct: The text with an addition that no other post has. Empty unless the network refuses repeats.
        message: The message itself, as far as it may be public, for networks that claim `structured`: the place is
            blurred, and the incident has another id than the dispatch system's.
    """

    account: str
    stage: Stage
    category: str
    html: str = ""
    link: str | None = None
    created_at: AwareDatetime
    exercise: bool = False
    variant: int = 0
    distinct: str = ""
    distinct_spans: tuple[Span, ...] = ()
    message: Message | None = None


class Request(_Stored):
    """The frozen arguments of the call that publishes a post, for every attempt.

    Attributes:
        body: The channel's own arguments, as canonical JSON without a secret.
    """

    account: str
    key: Digest
    body: Body
