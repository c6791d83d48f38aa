"""Posts of Mastodon: how they are sent, and recognised on a timeline."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from html import unescape
from typing import Any, Final, Literal

from pydantic import BaseModel

from policenotify.channel import Picture, Post, PostRef
from policenotify.errors import Refused, Unavailable, Unconfirmed
from policenotify.model.lifecycle import FrozenModel, Stage
from policenotify.networks.mastodon.api import Api, is_id, without_side_effects
from policenotify.networks.mastodon.instance import Instance
from policenotify.translation import Text

Visibility = Literal["public", "unlisted", "private"]

_PUBLIC: Final[Visibility] = "public"
VISIBILITY: Final[Mapping[Stage, Visibility]] = {**dict.fromkeys(Stage, _PUBLIC), Stage.UPDATE: "unlisted"}
"""Who sees a post, by stage.

Only public posts are found by their hashtag. Updates reach followers all the same, but do not fill the server's public
timeline."""

_TAG: Final = re.compile(r"<([!/]?[A-Za-z][A-Za-z0-9]*+)?[^<>]*+>")  # the standard library's parser takes n² steps
_MENTION: Final = re.compile(r"(?<![=/\w])(@\w+(?:[.-]+\w+)*)@[\w.-]*\w(?::\d+)?")

# Seconds between two looks at a picture that the server still works on: half a minute in all. Most are ready at once.
_WAITS: Final = (0.5, 1.0, 2.0, *[4.0] * 7)
_AT_WORK: Final = frozenset({202, 206})  # docs.joinmastodon.org/methods/media, "Upload media (async)" and "Get media"
_TOO_EARLY = Text("Mastodon has not finished with a picture yet; nothing was posted.")


def check(post: Post, instance: Instance, warning: str) -> None:
    """Refuse a text that the server would refuse, before anything is uploaded."""
    if (used := instance.count(post.text) + len(warning)) > instance.max_characters:
        raise Refused(
            Text(
                "The text has {used} characters; this server takes {max_characters}. Nothing was posted.",
                used=used,
                max_characters=instance.max_characters,
            ),
            remedy=Text("Its limits are known from now on: publish the message again with another key."),
        )


def ref_of(account: str, shown: Mapping[str, Any]) -> PostRef | None:
    """Return the reference of a shown status, or `None` if it has none."""
    url = shown.get("url") or shown.get("uri")
    if not is_id(shown.get("id")) or not (isinstance(url, str) and url.startswith("http") and url.isprintable()):
        return None
    return PostRef(account=account, id=shown["id"], url=url)


class UploadedPicture(BaseModel):
    """An uploaded picture: the server's id, and its description."""

    id: str
    description: str


class StatusBody(FrozenModel):
    """A post as `POST /api/v1/statuses` takes it, and stored as the body of a request.

    Attributes:
        language: Its primary language. The server knows no regions, and drops an unknown tag.
        spoiler_text: The content warning above the text, which is then folded away.
        sensitive: Its pictures are shown on a click only. `None`: as the account is set.
    """

    status: str
    visibility: Visibility
    language: str
    idempotency_key: str
    spoiler_text: str = ""
    sensitive: bool | None = None
    in_reply_to_id: str | None = None
    media: tuple[UploadedPicture, ...] = ()

    def may_be(self, shown: Mapping[str, Any], *, ids_stay: bool) -> bool | None:
        """Compare pictures and parent with those of a status on our timeline.

        With *ids_stay* a picture certainly has the same id in the status as after its upload.

        Returns:
            `True` if it shows the same uploads, `False` if it is another post, `None` if the text must be compared.
        """
        ours = {each.id for each in self.media}
        listed = shown.get("media_attachments")
        theirs = [str(each.get("id")) for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        if ours and (ids_stay or ours.intersection(theirs)):
            return bool(ours.intersection(theirs))
        parent = shown.get("in_reply_to_id")
        same = len(ours) == len(theirs) and parent in {None, self.in_reply_to_id}  # some drop a deleted parent
        return None if same else False

    def reads_as(self, shown: Mapping[str, Any]) -> bool:
        """Return True if a shown status has this text and content warning."""
        text, warning = plain_html(str(shown.get("content", ""))), plain(str(shown.get("spoiler_text") or ""))
        return (text, warning) == (plain(self.status), plain(self.spoiler_text))


def plain(text: str) -> str:
    """Return a text as the server stores it: stripped, and without its own name."""
    return " ".join(unicodedata.normalize("NFC", _MENTION.sub(r"\1", text)).split())


def plain_html(html: str) -> str:
    """Return the HTML of a server for comparison with `plain` text."""
    text = _TAG.sub(lambda tag: " " if (tag[1] or "").lower() in {"p", "br"} else "", html)
    return plain(unescape(text))


def upload(picture: Picture, api: Api) -> UploadedPicture:
    """Upload a picture with its description, and return it once it is ready."""
    with without_side_effects(Text("uploading a picture")):
        answer = api.ask(
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
            api.clock.sleep(wait)
            answer = api.ask("media", media)
        if answer.status in _AT_WORK:
            raise Unavailable(_TOO_EARLY, code=answer.code, remedy=Text("It will be tried again."))
        if not answer.ok:
            raise api.error(answer, whole_channel=False)
        if not is_id(media):
            raise Unconfirmed(Text("Mastodon's answer to the picture cannot be read."), code=answer.code)
    return UploadedPicture(id=str(media), description=picture.alt)
