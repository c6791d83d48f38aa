"""Mastodon's calls, through the library `Mastodon.py` but without its surprises.

The library follows redirects (a post becomes a GET, and nothing is said), waits in the calling thread for as long as
a limit lasts, reads a token from a file that is named like it, asks the server's version before an upload, without
an end where that fails, and writes some addresses with a slash at the end, under which GoToSocial and takahe have
nothing. None of it happens here: its session is ours, and what a call means is read from the answer
that came over the wire, as an [`Answer`][policenotify.networks.mastodon.client.Answer], not from what the library made
of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import SecretStr

from policenotify import transport
from policenotify.errors import Blocked, ChannelError, JournalError, MissingExtra, Unavailable, Unconfirmed
from policenotify.networks import import_lock
from policenotify.transport import error_for_exception, error_for_status, quoted

if TYPE_CHECKING:
    import mastodon
    import requests

    from policenotify.networks._requests import LeaseAdapter

    Client: TypeAlias = mastodon.Mastodon

WHERE = "Mastodon"
without_side_effects = partial(transport.without_side_effects, WHERE)

_VISIBLE = frozenset({"status_post", "status_update", "status_delete"})  # the calls that change what readers see
_CONNECT = 5.0  # seconds for a connection: a server that does not even greet is not worth more
_MAIL = re.compile(r"[^\s@\"(<]+@[^\s@\")>]+\.[^\s@\")>]+")
_LONGEST_WORDS = 300
_PLAIN_WORDS = re.compile(rb"[ !-;=?-~]{1,200}")  # a line of ASCII, and no page
_TOKEN = re.compile(r"\btoken\b", re.IGNORECASE)
RENEW = (
    "Make a new token on the server's website (Settings, Development), put it into the channel's settings, "
    "then: policenotify doctor"
)
_ALLOWED = (
    "Log in on the server's website to see whether the account may still post, and check that the token has the "
    "scopes read:accounts, read:statuses, write:statuses and write:media. Then: policenotify doctor"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Attributes:
        status: The HTTP status.
        headers: Names in lower case.
        body: The JSON of it; `None` where there was none.
        said: The server's own words for a refusal, on one line, free of secrets; empty where it gave none.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: Any = field(default=None, repr=False)
    said: str = ""

    @property
    def ok(self) -> bool:
        """Whether it is a success that can be read."""
        return self.status in {200, 202, 206} and self.body is not None

    @property
    def refused(self) -> bool:
        """Whether the server itself says no, for a reason of its own other than a rate limit."""
        return 400 <= self.status < 500 and self.status != 429 and isinstance(self.body, dict) and "error" in self.body  # noqa: PLR2004 - RFC 9110, 15.5

    @property
    def rejects_token(self) -> bool:
        """Whether the server says in plain words that it does not take the token: takahe does so with a 400."""
        return 400 <= self.status < 500 and self.body is None and _TOKEN.search(self.said) is not None  # noqa: PLR2004 - RFC 9110, 15.5

    @property
    def missing(self) -> bool:
        """Whether the server itself says that there is no such thing."""
        return self.refused and self.status in {404, 410}

    @property
    def object(self) -> Mapping[str, Any]:
        """The body, where it is an object; else an empty one."""
        return self.body if isinstance(self.body, dict) else {}

    def ahead(self, now: datetime) -> timedelta:
        """By how much the server's clock is ahead of ours, as far as its answer tells."""
        return transport.clock_skew(self.headers, now=now)


class Api:
    """Calls one server with one token.

    Args:
        server: The server, such as `https://social.example`.
        token: Goes into `Authorization`, and comes back in no server's words.
        timeout: Seconds to wait for each piece of an answer.
    """

    def __init__(self, server: str, token: SecretStr, timeout: float) -> None:
        if find_spec("mastodon") is None:
            raise MissingExtra("The network 'mastodon'", "mastodon")
        self._server = server
        self._token = token
        self._timeout = (min(timeout, _CONNECT), timeout)
        self._client: Client | None = None
        self._lease: LeaseAdapter | None = None
        self._seen: requests.Response | None = None

    def ask(self, call: str, *args: object, **kwargs: object) -> Answer:
        """Make one call.

        Args:
            call: A method of `mastodon.Mastodon` that makes one request.
            args: What it is given.
            kwargs: The same.

        Raises:
            Unavailable: It never reached the server.
            Unconfirmed: No whole answer came.
            JournalError: The call would publish, and the lease is over. It was not made.
        """
        client, failure = self._opened(), None
        self._seen = None
        try:
            with self._lease.publishing() if self._lease and call in _VISIBLE else nullcontext():
                getattr(client, call)(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whatever the library thinks of it: what came over the wire counts
            failure = error
        # Each call has a connection of its own: a server may close one that waits just as the next call goes out (snac
        # closes it after every answer), and a post would be in doubt for nothing.
        client.session.close()
        seen, self._seen = self._seen, None
        if seen is not None and (seen.is_redirect or not isinstance(failure, OSError)):
            return self._answer(seen)
        if isinstance(over := _behind(failure), JournalError):
            raise over
        # Raised outside of the handler, so that neither its text nor what stands behind it goes along.
        raise error_for_exception(_behind(failure), where=WHERE)

    def close(self) -> None:
        """Let go of the library; a later call takes it up again."""
        self._client = None

    def _opened(self) -> Client:
        if self._client is None:
            with import_lock():
                import mastodon  # noqa: PLC0415 - 0.2 s and 25 MiB, paid when first used
                import requests  # noqa: PLC0415 - comes with it

                from policenotify.networks._requests import LeaseAdapter  # noqa: PLC0415 - loads requests

            class Session(requests.Session):
                def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:  # type: ignore[override]  # noqa: ANN401 - handed on
                    # No address of the API ends in a slash (docs.joinmastodon.org/methods).
                    return super().request(method, url.rstrip("/"), *args, **kwargs)

            session, self._lease = Session(), LeaseAdapter()
            session.mount("https://", self._lease)
            session.mount("http://", self._lease)
            session.max_redirects = 0  # a post and a token go to nobody else
            # Plain http is for this machine alone: a proxy of the environment (HTTP_PROXY) would carry a token off it.
            session.trust_env = not self._server.startswith("http:")
            session.headers["Connection"] = "close"  # RFC 9112, section 9.6
            session.hooks["response"].append(self._see)
            self._client = mastodon.Mastodon(
                api_base_url=self._server,
                session=session,
                request_timeout=self._timeout,  # type: ignore[arg-type]  # handed on to requests, which takes two
                ratelimit_method="throw",
                user_agent="policenotify",
                # With both the library asks no server for its version, and uses the upload that may take its time (v2).
                mastodon_version="4.5.0",
                version_check_mode="created",
            )
            # Only now: the constructor would read a file that is named like the token.
            self._client.access_token = self._token.get_secret_value()
        return self._client

    def _see(self, response: requests.Response, *_: object, **__: object) -> None:
        self._seen = response

    def _answer(self, seen: requests.Response) -> Answer:
        try:
            body = None if seen.is_redirect else seen.json()  # its own may never have been read
        except (ValueError, RecursionError):
            body = None
        headers = {name.lower(): value for name, value in seen.headers.items()}
        error = body.get("error") if isinstance(body, dict) else None
        if (
            body is None and not seen.is_redirect and _PLAIN_WORDS.fullmatch(seen.content)
        ):  # takahe speaks so of a token, whatever type it names
            error = seen.content.decode()
        return Answer(seen.status_code, headers, body, self._clean(error) if isinstance(error, str) else "")

    def _clean(self, words: str) -> str:
        words = words.replace(self._token.get_secret_value(), "…").encode("utf-8", "replace").decode()
        return " ".join(_MAIL.sub("…", words).split())[:_LONGEST_WORDS]


def _behind(failure: Exception | None) -> BaseException:
    """What the library's own error is about: it carries that only as what was being handled."""
    return (failure and failure.__context__) or failure or RuntimeError()  # the last: a call that asked nothing


def judge(answer: Answer, *, now: datetime, whole_channel: bool = True) -> ChannelError:
    """Say what an answer that is not a success means, as far as it is the same for every call.

    Args:
        answer: The answer.
        now: The time.
        whole_channel: Whether a limit on this call is one on all posts.
    """
    code, words = str(answer.status), quoted(answer.said)
    if 300 <= answer.status < 400:  # noqa: PLR2004 - RFC 9110, section 15.4
        return Unconfirmed(
            "The server sent us to another address, and we do not follow with a post.",
            code=code,
            remedy="Check the channel's `server` in the settings, and whether a proxy wants a login.",
        )
    if answer.status == 401 or answer.rejects_token:  # noqa: PLR2004 - RFC 9110, section 15.5.2
        return Blocked(f"Mastodon does not accept our token{words}", code=code, remedy=RENEW)
    if answer.refused and answer.status == 403:  # noqa: PLR2004 - RFC 9110, section 15.5.4
        return Blocked(f"Mastodon does not let this account or token do it{words}", code=code, remedy=_ALLOWED)
    if answer.status in {404, 410}:
        return Unconfirmed(f"Mastodon does not know what we asked for{words}", code=code)
    if 400 <= answer.status < 500 and not answer.refused and answer.status not in {413, 429}:  # noqa: PLR2004 - RFC 9110, 15.5
        return Unavailable(
            "Something that is not Mastodon answered in its place and did not let us through.",
            code=code,
            remedy="It will be tried again. Check the channel's `server` in the settings, and the proxy.",
        )
    error = error_for_status(answer.status, answer.headers, now=now, where=WHERE, said=answer.said)
    if isinstance(error, Unavailable):
        error.whole_channel = error.whole_channel and whole_channel
    return error
