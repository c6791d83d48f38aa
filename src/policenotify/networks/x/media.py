"""Pictures for X: uploaded one by one, each with its alternative text, before the post that shows them.

In one call and as JSON (OpenAPI of X, `POST /2/media/upload`), since tweepy's client signs and sends JSON; it has no
method for API v2's media of its own. Pieces are for videos.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Final

from policenotify.channel import Clock, Picture
from policenotify.errors import Refused, Unavailable, Unconfirmed
from policenotify.networks.x.answer import Answer, judge
from policenotify.networks.x.post import is_id

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
