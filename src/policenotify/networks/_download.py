"""Read a file from a web server, within its size and time. Importing this module loads requests."""

from __future__ import annotations

from typing import Final
from urllib.parse import urljoin, urlsplit

import requests

from policenotify.errors import InvalidAlert
from policenotify.networks._requests import PostSession

_REDIRECTS: Final = 3
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_OK: Final = 200


def download(url: str, *, limit: int, timeout: float = 10.0) -> bytes:
    """Return the file at an address of http or https.

    Three redirects are followed, and none from https to http.

    Args:
        url: The address.
        limit: The largest number of bytes.
        timeout: Seconds for a connection and for each answer.

    Raises:
        InvalidAlert: It is not such an address, did not answer in time, or has more bytes.
    """
    for _ in range(_REDIRECTS + 1):
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
            raise InvalidAlert("its address is not one of http or https without a name and a password")
        with PostSession(lambda each: each, timeout, plain=parts.scheme == "http") as session:
            session.adapter.max_bytes = limit
            try:
                session.get(url)
            except (requests.RequestException, OSError, ValueError) as error:
                raise InvalidAlert(f"its server did not send it ({type(error).__name__})") from None
            answer = session.answer
        if answer is None or answer.status not in {_OK, *_MOVED}:
            status = answer.status if answer else "no answer"
            raise InvalidAlert(f"its server did not send it ({status})")
        if answer.status == _OK:
            if not answer.content:
                raise InvalidAlert("its server sent nothing, or too much")
            return answer.content
        url = urljoin(url, answer.headers.get("location", ""))
        if parts.scheme == "https" and urlsplit(url).scheme != "https":
            raise InvalidAlert("its server sends us from https to another kind of address")
    raise InvalidAlert("its server sends us from one address to the next")
