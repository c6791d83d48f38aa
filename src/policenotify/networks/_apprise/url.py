"""An apprise URL as the settings give it, taken apart without apprise; nothing of it is repeated in an error."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from policenotify.errors import SettingsError

_URL = re.compile(r"(?P<scheme>[A-Za-z0-9_.+-]+)://(?P<authority>[^/?]*)(?P<path>[^?]*)(\?(?P<query>.*))?", re.DOTALL)
# Who sends, how often and for how long is decided by us.
_OURS = frozenset({"overflow", "retry", "wait", "optional", "tag", "redirect", "cto", "rto"})


@dataclass(frozen=True, slots=True)
class ServiceUrl:
    """What an apprise URL says.

    Attributes:
        scheme: In lower case.
        user: Before `@`, and before the password.
        has_password: There is something behind the user.
        host: Whatever stands in its place: for many services a token, not a host.
        has_path: Something stands behind the host.
        options: The query, names in lower case.
    """

    scheme: str
    user: str = field(repr=False)
    has_password: bool
    host: str = field(repr=False)
    has_path: bool
    options: dict[str, str] = field(repr=False)


def scheme_of(url: str) -> str:
    """What stands before `://`, in lower case."""
    return url.partition("://")[0].strip().lower()


def read(url: str, *, example: str) -> ServiceUrl:
    """Take a URL apart.

    Args:
        url: The URL.
        example: How a right one looks.

    Raises:
        SettingsError: It is none, or gives away or decides what it may not.
    """
    found = _URL.fullmatch(url)
    if found is None or not url.isprintable():
        raise SettingsError(f"url: is no apprise URL. Write it like this: {example}")
    user, _, host = found["authority"].rpartition("@")
    options = {
        unquote(name).lower(): unquote(value)
        for name, _, value in (each.partition("=") for each in (found["query"] or "").split("&") if each)
    }
    if useless := sorted(options.keys() & _OURS):
        raise SettingsError(
            f"url: {', '.join(useless)} would change nothing. Take it out; `timeout` is an option here."
        )
    if options.get("verify", "yes").lower() not in {"yes", "true", "on", "1"}:
        raise SettingsError(
            "url: verify=no would show passwords to whoever answers in the service's place. Take it out; for an "
            "authority of your own, name its certificate in REQUESTS_CA_BUNDLE."
        )
    return ServiceUrl(
        scheme=found["scheme"].lower(),
        user=unquote(user.partition(":")[0]),
        has_password=":" in user,
        host=unquote(re.sub(r":\d+\Z", "", host)).lower(),
        has_path=bool(found["path"].strip("/")),
        options=options,
    )
