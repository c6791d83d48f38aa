"""A post as a status of Mastodon's API: what is said, and how it is known again on our own timeline."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from html.parser import HTMLParser
from typing import Any, Final, Literal

from pydantic import JsonValue

from policenotify.channel import Clock, Picture, Post, PostRef
from policenotify.errors import Refused, Unavailable, Unconfirmed
from policenotify.model.lifecycle import Stage
from policenotify.networks.mastodon.client import Answer, Api, judge, without_side_effects
from policenotify.networks.mastodon.instance import Instance

Visibility = Literal["public", "unlisted", "private"]

_PUBLIC: Final[Visibility] = "public"
VISIBILITY: Final[Mapping[Stage, Visibility]] = {**dict.fromkeys(Stage, _PUBLIC), Stage.UPDATE: "unlisted"}
"""Who sees a post. Only public ones are found by their hashtag; updates reach followers all the same, but do not fill
the server's public timeline."""

_ID: Final = re.compile(r"[\w-][\w.-]*", re.ASCII)  # a snowflake, a ULID, a hash: opaque, but no path
_MENTION: Final = re.compile(r"(?<![=/\w])(@\w+(?:[.-]+\w+)*)@[\w.-]*\w(?::\d+)?")


def check(post: Post, instance: Instance, warning: str) -> None:
    """Refuse what the server would refuse, before anything is uploaded.

    Raises:
        Refused: The text is too long, or a picture is too large, missing, or one too many.
    """
    if (used := instance.count(post.text, warning)) > instance.max_characters:
        raise Refused(
            f"The text has {used} characters with its content warning; this server takes {instance.max_characters}. "
            "Nothing was posted.",
            remedy="Shorten the text.",
        )
    if len(post.pictures) > instance.max_media:
        raise Refused(
            f"The post has {len(post.pictures)} pictures; this server takes {instance.max_media}. Nothing was posted."
        )
    for number, picture in enumerate(post.pictures, 1):
        what = (
            (len(picture.data) or instance.max_bytes + 1, instance.max_bytes, "bytes"),
            (picture.width * picture.height, instance.max_pixels, "pixels"),
            (len(picture.alt), instance.max_alt, "characters of description"),
        )
        for has, takes, unit in what:
            if has > takes:
                said = f"has {has} {unit}" if picture.data else "is missing"
                raise Refused(
                    f"Picture {number} {said}; this server takes up to {takes} {unit}. Nothing was posted.",
                    remedy="Use a smaller picture, or describe it in fewer words.",
                )


def status(
    post: Post,
    *,
    visibility: Visibility,
    warning: str,
    sensitive: bool,
    parent: PostRef | None,
    media: Sequence[str],
) -> dict[str, JsonValue]:
    """Encode the post: the arguments of `POST /api/v1/statuses`, and what is needed to find it again or to edit it.

    Args:
        post: What to say.
        visibility: Who sees it.
        warning: Stands above the text, which is then folded away.
        sensitive: Its pictures are shown on a click only.
        parent: Our post that it answers.
        media: Ids of its uploaded pictures, in order.
    """
    made: dict[str, JsonValue] = {
        "status": post.text,
        "visibility": visibility,
        "language": post.language.partition("-")[0].lower(),  # the server knows no regions, and drops a strange tag
        "idempotency_key": hashlib.sha256(f"{post.key}:{post.variant}".encode()).hexdigest(),
        "said_at": post.created_at.astimezone(UTC).isoformat(),
    }
    if warning:
        made["spoiler_text"] = warning
    if sensitive or warning:  # the server forces the second; an edit that does not say so would undo the first
        made["sensitive"] = True
    if parent is not None:
        made["in_reply_to_id"] = parent.id
    if media:
        made["media"] = [
            {"id": one, "description": picture.alt} for one, picture in zip(media, post.pictures, strict=True)
        ]
    return made


def media_of(body: Mapping[str, JsonValue]) -> list[dict[str, Any]]:
    """Ids and descriptions of the pictures in a request's body."""
    media = body.get("media")
    return [dict(one) for one in media if isinstance(one, dict)] if isinstance(media, list) else []


def is_id(value: object) -> bool:
    """Whether it can be an id in the path of a call."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def ref_of(account: str, said: Mapping[str, Any]) -> PostRef | None:
    """Where a status is, by what the server says of it; `None` where it does not say."""
    url = said.get("url") or said.get("uri")
    if not is_id(said.get("id")) or not (isinstance(url, str) and url.startswith("http") and url.isprintable()):
        return None
    return PostRef(account=account, id=said["id"], url=url)


# --- knowing it again


def may_be(body: Mapping[str, JsonValue], said: Mapping[str, Any], *, ids_stay: bool) -> bool | None:
    """Whether a status on our timeline is the one that a request's body describes.

    Args:
        body: The request's body.
        said: What the server says of the status.
        ids_stay: A picture has the same id in the status as it got when it was uploaded.

    Returns:
        `True`: it shows the very pictures that were uploaded for it. `False`: it is another one. `None`: its text
        must be compared.
    """
    ours = {one["id"] for one in media_of(body)}
    shown = said.get("media_attachments")
    theirs = [str(one.get("id")) for one in shown if isinstance(one, dict)] if isinstance(shown, list) else []
    if ours and (ids_stay or ours.intersection(theirs)):
        return bool(ours.intersection(theirs))
    parent = said.get("in_reply_to_id")
    same = len(ours) == len(theirs) and parent in {None, body.get("in_reply_to_id")}  # some drop a parent that is gone
    return None if same else False


def plain(text: str) -> str:
    """A text for comparing: as the server keeps it, which strips it and takes its own name out of mentions."""
    return " ".join(unicodedata.normalize("NFC", _MENTION.sub(r"\1", text)).split())


def plain_html(html: str) -> str:
    """The same of a text that the server has turned into HTML."""
    reader = _Text()
    reader.feed(html)
    reader.close()
    return plain("".join(reader.parts))


class _Text(HTMLParser):
    """What of HTML is read; a link's hidden beginning and end included, as they were written."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - the parent's
        if tag in {"p", "br"}:
            self.parts.append(" ")


# Seconds between two looks at a picture that the server still works on: half a minute in all. Most are ready at once.
_WAITS: Final = (0.5, 1.0, 2.0, *[4.0] * 7)
_AT_WORK: Final = frozenset({202, 206})  # docs.joinmastodon.org/methods/media, "Upload media (async)" and "Get media"
_TOO_EARLY = "Mastodon has not finished with a picture yet; nothing was posted."


class Pictures:
    """Uploads the pictures of one account.

    Args:
        api: Asks the server.
        clock: Waits.
    """

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self._clock = clock

    def upload(self, picture: Picture) -> str:
        """Upload a picture with its description, and wait until it may be shown.

        Returns:
            The server's id of it.

        Raises:
            Refused: The server does not take it.
            Unavailable: The server could not be asked, or works on it for too long.
        """
        with without_side_effects("uploading a picture"):
            answer = self._api.ask(
                "media_post",
                picture.data,
                mime_type=picture.media_type,
                description=picture.alt,
                file_name=f"{picture.digest[:16]}.{picture.media_type.partition('/')[2]}",
            )
            media = answer.object.get("id")
            for wait in _WAITS:
                if answer.status not in _AT_WORK or not is_id(media):
                    break
                self._clock.sleep(wait)
                answer = self._api.ask("media", media)
            if answer.status in _AT_WORK:
                raise Unavailable(_TOO_EARLY, code=str(answer.status), remedy="It will be tried again.")
            if not answer.ok:
                raise judge(answer, now=self._clock.now(), whole_channel=False)
            if not is_id(media):
                raise Unconfirmed("Mastodon's answer to the picture cannot be read.", code=str(answer.status))
        return str(media)

    def check(self, media: Iterable[Mapping[str, Any]], refused: Answer) -> None:
        """Look whether it is because of its pictures that a post was refused.

        Raises:
            Refused: With `fallback="prepare"`: a picture is not there any more.
            Unavailable: A picture is not ready yet, or the server could not be asked.
        """
        if not refused.refused or refused.status not in {400, 422}:
            return
        for one in media:
            with without_side_effects("asking for the post's pictures"):
                answer = self._api.ask("media", one["id"])
            if answer.status in _AT_WORK:
                raise Unavailable(_TOO_EARLY, code=str(refused.status), remedy="It will be tried again.")
            if answer.missing:
                raise Refused(
                    "Mastodon refused the post's pictures, not the post: they are not there any more.",
                    code=str(refused.status),
                    remedy="It will be prepared anew.",
                    fallback="prepare",
                )
