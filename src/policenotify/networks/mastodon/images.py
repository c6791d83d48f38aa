"""Pictures on their way into a post: uploaded as bytes, waited for, and asked for where a post was refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from policenotify.channel import Clock, Picture
from policenotify.errors import Refused, Unavailable, Unconfirmed
from policenotify.networks.mastodon.client import Answer, Api, judge, without_side_effects
from policenotify.networks.mastodon.post import is_id

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
