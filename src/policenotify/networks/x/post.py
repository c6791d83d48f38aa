"""Posts of X: how they are sent, and recognised on a timeline."""

from __future__ import annotations

import base64
import html
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final, Self
from urllib.parse import urlsplit

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue

from policenotify.channel import Picture, Post, PostRef
from policenotify.errors import Refused, Unavailable, Unconfirmed
from policenotify.networks.x.api import Client
from policenotify.networks.x.rules import XAnswer
from policenotify.text import Budget, x_weight

IMAGES: Final = 4
"""`maxItems` of `media_ids` (docs.x.com, *Create Post*)."""

IMAGE_BYTES: Final = 5_000_000
"""Size of an image (docs.x.com, *Media best practices*)."""

SHORT: Final = 280
"""Weighted length of a post without Premium (docs.x.com, *Counting characters*)."""

LONGEST: Final = 25_000
"""Weighted length of a post with Premium (docs.x.com, changelog of 20 August 2024)."""

ALT: Final = 1000
"""Characters of an alternative text (OpenAPI of X, `CreateMediaMetadataMetadataAltText`)."""

ShownPost = Mapping[str, Any]
"""A post as the timeline shows it."""

_ID: Final = re.compile(r"[0-9]{1,19}")  # OpenAPI: PostId
_FORBIDDEN: Final = re.compile("[\ufffe\ufeff\uffff]")  # twitter-text 3.1.0, invalidChars
_SHORTENED: Final = re.compile(r"https?://t\.co/\w{1,40}")  # the slug's length: twitter-text 3.1.0, validateTco
_EPOCH: Final = datetime(2010, 11, 4, 1, 42, 54, 657000, tzinfo=UTC)  # of X's ids ("snowflakes"): 1288834974657 ms

_UPLOAD = "/2/media/upload"
_METADATA = "/2/media/metadata"
_PROCESSING = frozenset({"pending", "in_progress"})  # OpenAPI of X, `MediaUploadResponseDataProcessingInfo`
_PATIENCE = 30.0  # seconds for one picture; most are ready at once, and an alert does not wait for ever
_PAUSES = (1.0, 10.0)  # seconds, the shortest and the longest between two questions, whatever X advises


def check(post: Post, budget: Budget) -> None:
    """Refuse what X would refuse, before anything is uploaded."""
    if not budget.fits(post.text):
        raise Refused(
            f"The text has a length of {x_weight(post.text)} as X counts it; this account may post {budget.limit}. "
            "Nothing was posted.",
            remedy="Shorten the text.",
        )
    if _FORBIDDEN.search(post.text):
        raise Refused(
            "The text holds an invisible character that X does not take. Nothing was posted.",
            remedy="Type the text again, rather than pasting it.",
        )
    if len(post.pictures) > IMAGES:
        raise Refused(f"The post has {len(post.pictures)} pictures; X takes {IMAGES}. Nothing was posted.")
    for number, picture in enumerate(post.pictures, 1):
        if not 0 < len(picture.data) <= IMAGE_BYTES:
            raise Refused(
                f"Picture {number} has {len(picture.data)} bytes; X takes 1 to {IMAGE_BYTES}. Nothing was posted.",
                remedy="Use a smaller picture, or none.",
            )


def is_id(value: object) -> bool:
    """Return True for the id of a post, a picture or an account."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def posted_at(post_id: str) -> datetime:
    """Return the time of a post, with which its id begins (docs.x.com, *X IDs*)."""
    return _EPOCH + timedelta(milliseconds=int(post_id) >> 22)


class TweetBody(BaseModel):
    """A post as it is sent to X, and stored as the body of a request.

    Attributes:
        media_ids: Ids of the uploaded pictures, in order.
        created_at: The time of the post, by our clock.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )

    text: str
    media_ids: tuple[str, ...] = ()
    in_reply_to_tweet_id: str | None = None
    created_at: AwareDatetime

    @classmethod
    def of(cls, post: Post, *, thread: Sequence[PostRef], media: Sequence[str]) -> Self:
        """Encode a post that replies to the last one of its thread."""
        parent = thread[-1].id if thread else None
        return cls(text=post.text, media_ids=tuple(media), in_reply_to_tweet_id=parent, created_at=post.created_at)

    @property
    def body(self) -> dict[str, JsonValue]:
        """The body of a request."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of `tweepy.Client.create_tweet`."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude={"created_at"})

    def replies_as(self, shown: ShownPost) -> bool:
        """Return True if a shown post replies to the same post, as far as X shows it."""
        parent = _parent(shown)
        if parent is None and "conversation_id" in shown:  # since OpenAPI 2.167 X shows only whether it is a reply
            return bool(shown["conversation_id"] != shown.get("id")) == (self.in_reply_to_tweet_id is not None)
        return parent in {None, self.in_reply_to_tweet_id}

    def reads_as(self, shown: ShownPost, handle: str) -> bool:
        """Return True if a post of the timeline reads as this one.

        X puts its own short links into the text, one more for pictures, and escapes `&`, `<` and `>`. So links are
        compared by host, where X names their target, and the rest as a reader would see it.

        Args:
            shown: The post of the timeline.
            handle: Our handle, which X may put before a reply.
        """
        note = shown.get("note_tweet") or shown.get("note_post")
        whole = note if isinstance(note, dict) else shown
        ours, theirs = _plain(self.text, handle), _plain(str(whole.get("text", "")), handle)
        if self.media_ids:
            link = re.search(rf"{_SHORTENED.pattern}\Z", theirs)
            theirs = theirs[: link.start()].rstrip() if link else theirs
        targets = _link_targets(whole)
        if _matches(ours, theirs, targets):
            return True
        # a long post, of which X shows only the beginning
        beginning, cut, _ = theirs.rpartition("…")
        return bool(cut) and whole is shown and x_weight(ours) > SHORT and _matches(ours, beginning, targets, cut=True)


def _matches(ours: str, theirs: str, targets: Mapping[str, str], *, cut: bool = False) -> bool:
    """Compare piece by piece: an expression made of a server's words may take for ever."""
    beginning, *pieces = _SHORTENED.split(theirs)
    at, links = len(beginning), list[str]()
    if not ours.startswith(beginning):
        return False
    for number, piece in enumerate(pieces, 1):
        to_the_end = number == len(pieces) and not cut
        end = len(ours) - len(piece) if to_the_end else ours.find(piece, at + 1)
        link = ours[at : max(end, at)]
        if not (link and ours.startswith(piece, end)) or any(map(str.isspace, link)):
            return False
        links.append(link)
        at = end + len(piece)
    return (cut or at == len(ours)) and all(
        link not in targets or written == link or _host(written) == _host(targets[link])
        for link, written in zip(_SHORTENED.findall(theirs), links, strict=True)
    )


def _parent(shown: ShownPost) -> str | None:
    listed = shown.get("referenced_tweets") or shown.get("referenced_posts") or ()
    parents = (each for each in listed if isinstance(each, dict) and each.get("type") == "replied_to")
    return next((str(each.get("id")) for each in parents), None)


def _link_targets(whole: ShownPost) -> dict[str, str]:
    """Return the targets of X's short links, as far as X names them."""
    entities = whole.get("entities")
    urls = entities.get("urls") if isinstance(entities, dict) else None
    listed = [each for each in urls if isinstance(each, dict)] if isinstance(urls, list) else []
    return {str(each.get("url")): str(each["expanded_url"]) for each in listed if each.get("expanded_url")}


def _plain(text: str, handle: str) -> str:
    while (plain := html.unescape(text)) != text:
        text = plain
    text = " ".join(unicodedata.normalize("NFD", text).split())  # composed, a short link could hide half a letter
    return re.sub(rf"\A(@{re.escape(handle)} )+", "", text, flags=re.IGNORECASE)


def _host(url: str) -> str:
    try:
        host = urlsplit(url if "://" in url else f"http://{url}").hostname or ""
        return host.encode("idna").decode().lower()
    except ValueError:  # not an address, or a host that no IDNA label may be
        return url


def upload(picture: Picture, client: Client) -> str:
    """Upload a picture with its alternative text, and return its id, valid for a day.

    It goes up in one call and as JSON (OpenAPI of X, `POST /2/media/upload`), since tweepy's client signs and sends
    JSON, and has no method for the media of API v2. Pieces are for videos.
    """
    content = {"media": base64.b64encode(picture.data).decode(), "media_category": "tweet_image"}
    answer = _uploaded(client.ask("request", "POST", _UPLOAD, json=content), client)
    media = str(answer.data.get("id"))
    left = _PATIENCE
    while (state := _processing(answer).get("state")) in _PROCESSING:
        pause = _pause(answer)
        if left < pause:
            raise Unavailable("X is still busy with a picture; the post waits.", remedy="It will be tried again.")
        client.clock.sleep(pause)
        left -= pause
        status = {"command": "STATUS", "media_id": media}
        answer = _uploaded(client.ask("request", "GET", _UPLOAD, params=status), client)
    if state == "failed":
        raise Refused("X cannot use a picture of the post. Nothing was posted.", remedy="Use another picture, or none.")
    alt = picture.alt if len(picture.alt) <= ALT else f"{picture.alt[: ALT - 1]}…"
    described = client.ask("request", "POST", _METADATA, json={"id": media, "metadata": {"alt_text": {"text": alt}}})
    if not described.ok:
        raise client.error(described)
    return media


def _uploaded(answer: XAnswer, client: Client) -> XAnswer:
    if not answer.ok:
        raise client.error(answer)
    if not is_id(answer.data.get("id")):
        raise Unconfirmed("X's answer to the picture cannot be read.", code=answer.code)
    return answer


def _processing(answer: XAnswer) -> dict[str, Any]:
    info = answer.data.get("processing_info")
    return info if isinstance(info, dict) else {}


def _pause(answer: XAnswer) -> float:
    shortest, longest = _PAUSES
    advised = _processing(answer).get("check_after_secs")
    return min(max(advised, shortest), longest) if isinstance(advised, int | float) else shortest
