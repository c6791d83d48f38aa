"""A post as `POST /2/tweets` wants it, and whether what a timeline shows is that post."""

from __future__ import annotations

import base64
import html
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import JsonValue

from policenotify.channel import Clock, Picture, Post, PostRef
from policenotify.errors import Refused, Unavailable, Unconfirmed
from policenotify.networks.x.errors import Answer, judge
from policenotify.text import Budget, x_weight

IMAGES: Final = 4
"""`maxItems` of `media_ids` (docs.x.com, *Create Post*)."""

IMAGE_BYTES: Final = 5_000_000
"""Size of an image (docs.x.com, *Media best practices*)."""

SHORT: Final = 280
"""Weighted length of a post without Premium (docs.x.com, *Counting characters*)."""

LONGEST: Final = 25_000
"""The same with Premium (docs.x.com, changelog of 20 August 2024)."""

_ID: Final = re.compile(r"[0-9]{1,19}")  # OpenAPI: PostId
_NOT_TAKEN: Final = re.compile("[\ufffe\ufeff\uffff]")  # twitter-text 3.1.0, invalidChars
_SHORTENED: Final = re.compile(r"https?://t\.co/\w{1,40}")  # the slug's length: twitter-text 3.1.0, validateTco
_EPOCH: Final = datetime(2010, 11, 4, 1, 42, 54, 657000, tzinfo=UTC)  # of X's ids ("snowflakes"): 1288834974657 ms


def check(post: Post, budget: Budget) -> None:
    """Refuse what X would refuse, before anything is uploaded.

    Raises:
        Refused: The text is too long or holds what X does not take, or a picture is too large, missing, or one too
            many.
    """
    if not budget.fits(post.text):
        raise Refused(
            f"The text has a length of {x_weight(post.text)} as X counts it; this account may post {budget.limit}. "
            "Nothing was posted.",
            remedy="Shorten the text.",
        )
    if _NOT_TAKEN.search(post.text):
        raise Refused("The text holds an invisible character that X does not take. Nothing was posted.",
                      remedy="Type the text anew, rather than pasting it.")  # fmt: skip
    if len(post.pictures) > IMAGES:
        raise Refused(f"The post has {len(post.pictures)} pictures; X takes {IMAGES}. Nothing was posted.")
    for number, picture in enumerate(post.pictures, 1):
        if not 0 < len(picture.data) <= IMAGE_BYTES:
            raise Refused(
                f"Picture {number} has {len(picture.data)} bytes; X takes 1 to {IMAGE_BYTES}. Nothing was posted.",
                remedy="Use a smaller picture, or none.",
            )


def arguments(post: Post, *, answers: Sequence[PostRef], media: Sequence[str]) -> dict[str, JsonValue]:
    """What tweepy's `create_tweet` is called with.

    Args:
        post: What to say.
        answers: Our earlier posts of the thread, from its first to the one to answer.
        media: Ids of the uploaded pictures, in order.
    """
    made: dict[str, JsonValue] = {"text": post.text}
    if media:
        made["media_ids"] = list(media)
    if answers:
        made["in_reply_to_tweet_id"] = answers[-1].id
    return made


def is_id(value: object) -> bool:
    """Whether it is the id of a post, a picture or an account."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def posted_at(post_id: str) -> datetime:
    """When a post was made: its id begins with the milliseconds (docs.x.com, *X IDs*)."""
    return _EPOCH + timedelta(milliseconds=int(post_id) >> 22)


def answers_same(said: Mapping[str, Any], shown: Mapping[str, Any]) -> bool:
    """Whether a post of the timeline answers what we answered, as far as X shows it."""
    ours, parent = said.get("in_reply_to_tweet_id"), _parent(shown)
    if parent is None and "conversation_id" in shown:  # all that X tells since OpenAPI 2.167: whether it answers
        return bool(shown["conversation_id"] != shown.get("id")) == (ours is not None)
    return parent is None or parent == ours


def reads_same(said: Mapping[str, Any], shown: Mapping[str, Any], handle: str) -> bool:
    """Whether a post of the timeline reads as what we said.

    X puts its own short links into the text, one more for pictures, and escapes `&`, `<` and `>`. So links are
    compared by host, where X says what they stand for, and the rest as a reader would see it.

    Args:
        said: The arguments of our call.
        shown: The post as the timeline shows it.
        handle: Our handle, which X may put before a reply.
    """
    note = shown.get("note_tweet") or shown.get("note_post")
    whole = note if isinstance(note, dict) else shown
    ours, theirs = _plain(str(said["text"]), handle), _plain(str(whole.get("text", "")), handle)
    if said.get("media_ids"):
        theirs = re.sub(rf"\s*{_SHORTENED.pattern}\Z", "", theirs)
    links = _links(whole)
    if _reads(ours, theirs, links):
        return True
    # a long post, of which we are shown only the beginning
    beginning, cut, _ = theirs.rpartition("…")
    return bool(cut) and whole is shown and x_weight(ours) > SHORT and _reads(ours, beginning, links, and_more=True)


def _reads(ours: str, theirs: str, stands_for: Mapping[str, str], *, and_more: bool = False) -> bool:
    pattern = r"(\S+?)".join(map(re.escape, _SHORTENED.split(theirs)))
    found = re.fullmatch(pattern + ".*" * and_more, ours)
    return found is not None and all(
        link not in stands_for or wrote == link or _host(wrote) == _host(stands_for[link])
        for link, wrote in zip(_SHORTENED.findall(theirs), found.groups(), strict=True)
    )


def _parent(shown: Mapping[str, Any]) -> str | None:
    listed = shown.get("referenced_tweets") or shown.get("referenced_posts") or ()
    about = (each for each in listed if isinstance(each, dict) and each.get("type") == "replied_to")
    return next((str(each.get("id")) for each in about), None)


def _links(whole: Mapping[str, Any]) -> dict[str, str]:
    """What X's short links stand for, where it says so."""
    entities = whole.get("entities")
    urls = entities.get("urls") if isinstance(entities, dict) else None
    listed = [each for each in urls if isinstance(each, dict)] if isinstance(urls, list) else []
    return {str(each.get("url")): str(each["expanded_url"]) for each in listed if each.get("expanded_url")}


def _plain(text: str, handle: str) -> str:
    while (plain := html.unescape(text)) != text:
        text = plain
    text = " ".join(unicodedata.normalize("NFC", text).split())
    return re.sub(rf"\A(@{re.escape(handle)} )+", "", text, flags=re.IGNORECASE)


def _host(url: str) -> str:
    try:
        host = urlsplit(url if "://" in url else f"http://{url}").hostname or ""
        return host.encode("idna").decode().lower()
    except ValueError:  # no address at all, or a host that no IDNA label may be
        return url


ALT: Final = 1000
"""Characters of an alternative text (OpenAPI of X, `CreateMediaMetadataMetadataAltText`)."""

_UPLOAD = "/2/media/upload"
_METADATA = "/2/media/metadata"
_PROCESSING = frozenset({"pending", "in_progress"})  # OpenAPI of X, `MediaUploadResponseDataProcessingInfo`
_PATIENCE = 30.0  # seconds for one picture; most are ready at once, and an alert does not wait for a picture for ever
_PAUSES = (1.0, 10.0)  # seconds, the shortest and the longest between two questions, whatever X advises

Ask = Callable[..., Answer]
"""Makes a call: tweepy's method, its arguments."""


def upload(picture: Picture, *, ask: Ask, clock: Clock) -> str:
    """Upload a picture, wait until X has processed it, and say what it shows. Nothing is visible yet.

    Returns:
        Its id, good for a day.

    Raises:
        Refused: X does not take the picture.
        ChannelError: As `judge` says; `Unconfirmed` where an answer cannot be read.
    """
    content = {"media": base64.b64encode(picture.data).decode(), "media_category": "tweet_image"}
    answer = _done(ask("request", "POST", _UPLOAD, json=content), clock)
    media = str(answer.data.get("id"))
    left = _PATIENCE
    while (state := _processing(answer).get("state")) in _PROCESSING:
        pause = _pause(answer)
        if left < pause:
            raise Unavailable("X is still busy with a picture; the post waits.", remedy="It will be tried again.")
        clock.sleep(pause)
        left -= pause
        answer = _done(ask("request", "GET", _UPLOAD, params={"command": "STATUS", "media_id": media}), clock)
    if state == "failed":
        raise Refused("X cannot use a picture of the post. Nothing was posted.", remedy="Use another picture, or none.")
    words = picture.alt if len(picture.alt) <= ALT else f"{picture.alt[: ALT - 1]}…"
    told = ask("request", "POST", _METADATA, json={"id": media, "metadata": {"alt_text": {"text": words}}})
    if not told.ok:
        raise judge(told, now=clock.now())
    return media


def _done(answer: Answer, clock: Clock) -> Answer:
    if not answer.ok:
        raise judge(answer, now=clock.now())
    if not is_id(answer.data.get("id")):
        raise Unconfirmed("X's answer to the picture cannot be read.", code=answer.code)
    return answer


def _processing(answer: Answer) -> dict[str, Any]:
    info = answer.data.get("processing_info")
    return info if isinstance(info, dict) else {}


def _pause(answer: Answer) -> float:
    shortest, longest = _PAUSES
    advised = _processing(answer).get("check_after_secs")
    return min(max(advised, shortest), longest) if isinstance(advised, int | float) else shortest
