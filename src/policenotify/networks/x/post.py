"""Posts of X: how they are sent, and recognised on a timeline."""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from pydantic import AwareDatetime

from policenotify.channel import Picture
from policenotify.errors import Unconfirmed
from policenotify.model.lifecycle import FrozenModel
from policenotify.networks.x.api import Client
from policenotify.networks.x.rules import is_id
from policenotify.text import x_weight
from policenotify.translation import Text

IMAGES: Final = 4
"""`maxItems` of `media_ids` (docs.x.com, *Create Post*)."""

SHORT: Final = 280
"""Weighted length of a post without Premium (docs.x.com, *Counting characters*)."""

LONGEST: Final = 25_000
"""Weighted length of a post with Premium (docs.x.com, changelog of 20 August 2024)."""

ALT: Final = 1000
"""Characters of an alternative text (OpenAPI of X, `CreateMediaMetadataMetadataAltText`)."""

ShownPost = Mapping[str, Any]
"""A post as the timeline shows it."""

_SHORTENED: Final = re.compile(r"https?://t\.co/\w{1,40}")  # the slug's length: twitter-text 3.1.0, validateTco
_LAST_LINK: Final = re.compile(rf"(?<!\s)\s*+{_SHORTENED.pattern}\Z")

_ACE: Final = re.compile(r"xn--([a-z0-9-]+)", re.IGNORECASE)  # RFC 5890, section 2.3.2.1

_UPLOAD = "/2/media/upload"
_METADATA = "/2/media/metadata"


class TweetBody(FrozenModel):
    """A post as it is sent to X, and stored as the body of a request.

    Attributes:
        media_ids: Ids of the uploaded pictures, in order.
        created_at: The time of the post, by our clock.
    """

    text: str
    media_ids: tuple[str, ...] = ()
    in_reply_to_tweet_id: str | None = None
    created_at: AwareDatetime

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
        """Return True if a post of the timeline reads as this one. X may put our handle before a reply."""
        note = shown.get("note_tweet") or shown.get("note_post")
        whole = note if isinstance(note, dict) else shown
        text = str(whole.get("text", ""))
        if self.media_ids:  # X puts a link to the pictures behind the text
            text = _LAST_LINK.sub("", text)
        targets = _link_targets(whole)
        ours, theirs = _plain(self.text, targets, handle), _plain(_unescaped(text), targets, handle)
        # Of a long post X may show only the beginning.
        beginning, cut, _ = theirs.rpartition("…")
        return ours == theirs or bool(cut and x_weight(ours) > SHORT and ours.startswith(beginning))


def _parent(shown: ShownPost) -> str | None:
    """Return the id of the post that a shown post replies to, if X shows it."""
    listed = shown.get("referenced_tweets") or shown.get("referenced_posts")
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, dict) and each.get("type") == "replied_to":
            return str(each.get("id"))
    return None


def _link_targets(shown: ShownPost) -> Mapping[str, str]:
    """Return the addresses that X's short links stand for."""
    entities = shown.get("entities")
    urls = entities.get("urls") if isinstance(entities, dict) else None
    listed = [each for each in urls if isinstance(each, dict)] if isinstance(urls, list) else []
    return {str(each.get("url")): _unescaped(str(each["expanded_url"])) for each in listed if each.get("expanded_url")}


def _unescaped(text: str) -> str:
    """Return a text of X as it was written. It escapes these three."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _plain(text: str, targets: Mapping[str, str], handle: str) -> str:
    """Return a text for comparison: links expanded and without what X may change of them, and our handle left out."""
    text = _SHORTENED.sub(lambda link: targets.get(link[0], link[0]), text)
    text = _ACE.sub(_decoded, unquote(text))
    text = " ".join(unicodedata.normalize("NFC", text).split()).casefold()
    text = re.sub(r"https?://|/(?=\s|\Z)", "", text)
    return re.sub(rf"\A(@{re.escape(handle.casefold())} )+", "", text)


def _decoded(label: re.Match[str]) -> str:
    try:
        return label[1].encode().decode("punycode")
    except ValueError:
        return label[0]


def upload(picture: Picture, client: Client) -> str:
    """Upload a picture with its alternative text, and return its id, valid for a day.

    It goes up in one call and as JSON (OpenAPI of X, `POST /2/media/upload`), since tweepy's client signs and sends
    JSON, and has no method for the media of API v2. Pieces are for videos.
    """
    content = {"media": base64.b64encode(picture.data).decode(), "media_category": "tweet_image"}
    answer = client.ask("request", "POST", _UPLOAD, json=content)
    if not answer.ok:
        raise client.error(answer)
    media = answer.data.get("id")
    if not is_id(media):
        raise Unconfirmed(Text("X's answer to the picture cannot be read."), code=answer.code)
    alt = picture.alt if len(picture.alt) <= ALT else f"{picture.alt[: ALT - 1]}…"
    described = client.ask("request", "POST", _METADATA, json={"id": media, "metadata": {"alt_text": {"text": alt}}})
    if not described.ok:
        raise client.error(described)
    return str(media)
