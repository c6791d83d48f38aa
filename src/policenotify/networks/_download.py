"""Read a file from a web server, within its size and time. Importing this module loads requests."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import requests
import urllib3

from policenotify.errors import InvalidAlert
from policenotify.translation import Text

_MOVED: Final = range(300, 400)
_OK: Final = 200


def download(url: str, *, limit: int, timeout: float = 10.0) -> bytes:
    """Return the file at an address of http or https.

    Redirects are not followed: they could lead to what only this machine reaches.

    Args:
        url: The address.
        limit: The largest number of bytes.
        timeout: Seconds for a connection and for each answer.

    Raises:
        InvalidAlert: It is not such an address, did not answer in time, or has more bytes.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise InvalidAlert(Text("its address is not one of http or https without a name and a password"))
    with requests.Session() as session:
        session.trust_env = parts.scheme == "https"  # see `PostSession`
        try:
            with session.get(url, timeout=timeout, allow_redirects=False, stream=True) as answer:
                status, content = answer.status_code, answer.raw.read(limit + 1, decode_content=True)
        except (OSError, urllib3.exceptions.HTTPError) as error:
            raise InvalidAlert(Text("its server did not send it ({code})", code=type(error).__name__)) from None
    if status in _MOVED:
        raise InvalidAlert(Text("its server sends us to another address, which is not followed: name that one"))
    if status != _OK:
        raise InvalidAlert(Text("its server did not send it ({status})", status=status))
    if not 0 < len(content) <= limit:
        raise InvalidAlert(Text("its server sent nothing, or too much"))
    return bytes(content)
