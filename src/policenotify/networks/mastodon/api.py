"""Mastodon's API, through the library `Mastodon.py`.

The session is ours: the library by itself follows redirects (a post becomes a GET), and writes some addresses with a
slash at the end, which GoToSocial does not know. An answer is read from what came over the wire, since the library's
errors hold neither its headers nor, often, its status.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing, suppress
from functools import cached_property, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr, ValidationError

from policenotify import transport
from policenotify.channel import Clock, Services
from policenotify.errors import Blocked, ChannelError, JournalError, Refused, Unconfirmed
from policenotify.networks import load, require
from policenotify.networks._http import (
    ANY_HTTP,
    AnswerRule,
    HttpAnswer,
    fingerprint,
    judge,
    open_session,
    parse_json,
    verify_owner,
)
from policenotify.networks._redact import redact
from policenotify.networks.mastodon.instance import Instance
from policenotify.translation import AnyText, Text

if TYPE_CHECKING:
    import mastodon

    from policenotify.networks._requests import PostSession

_INSTANCE: Final = "instance"  # in the store
_ID: Final = re.compile(r"[\w-][\w.-]*", re.ASCII)  # a snowflake, a ULID, a hash: opaque, but not a path
_CONNECT: Final = 5.0  # seconds for a connection: a server that does not even greet is not worth more
WHERE: Final = "Mastodon"
without_side_effects: Callable[[AnyText], AbstractContextManager[None]] = partial(transport.without_side_effects, WHERE)

RENEW: Final = Text(
    "Make a new token on the server's website (Settings, Development), put it into the channel's "
    "settings, then: policenotify doctor"
)
RULES: Final = (
    AnswerRule(Blocked, Text("Mastodon does not accept our token{words}"), RENEW, {401}),
    AnswerRule(
        Blocked,
        Text("Mastodon does not let this account or token do it{words}"),
        Text(
            "Log in on the server's website to see whether the account may still post, and check that the "
            "token has the scopes read:accounts, read:statuses, write:statuses and write:media. Then: "
            "policenotify doctor"
        ),
        {403},
        own=True,
    ),
    AnswerRule(Unconfirmed, Text("Mastodon does not know what we asked for{words}"), statuses={404, 410}),
)


def is_id(value: object) -> bool:
    """Return True if it can be an id in the path of a call."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


class Api:
    """One server, such as `https://social.example`, called with the token of one account.

    What is known of the server is read once a day, and stored for all processes.
    """

    def __init__(
        self, account: str, *, handle: str, server: str, token: SecretStr, timeout: float, services: Services
    ) -> None:
        require("mastodon", "mastodon")
        self.clock: Clock = services.clock
        self._handle = handle
        self._server = server
        self._token = token
        self._timeout = (min(timeout, _CONNECT), timeout)
        self._store = services.store
        self._seal = fingerprint(account, self._token.get_secret_value())
        self._number = ""
        self._known: Instance | None = None

    def ask(self, call: str, *args: object, **kwargs: object) -> HttpAnswer:
        """Make one call by *call*, a method of `mastodon.Mastodon` that makes one request.

        Raises:
            Unavailable: It never reached the server.
            Unconfirmed: No whole answer came.
        """
        with closing(self._session) as session:
            made = partial(getattr(self._library, call), *args, **kwargs)
            raw = session.ask(made, where=WHERE, wrapped=True)
        body = parse_json(raw.content)
        error = body.get("error") if isinstance(body, dict) else None
        return HttpAnswer(
            raw.status,
            raw.headers,
            body,
            from_network=isinstance(body, dict) and "error" in body,
            message=redact(error, [self._token.get_secret_value()]) if isinstance(error, str) else "",
        )

    def error(self, answer: HttpAnswer, *, whole_channel: bool = True) -> ChannelError:
        """Return what an answer other than a success means for every call.

        With *whole_channel* a rate limit on this call holds for all posts.
        """
        now = self.clock.now()
        return judge(answer, (*RULES, *ANY_HTTP), now=now, where=WHERE, whole_channel=whole_channel)

    def owner(self) -> Mapping[str, Any]:
        """Return the account of the token, as the server describes it.

        Raises:
            Blocked: The token is not accepted, or belongs to another account.
            Unavailable: The server could not be asked.
        """
        with without_side_effects(Text("asking who we are")):
            answer = self.ask("account_verify_credentials")
            owner = answer.object
            if not (answer.ok and is_id(owner.get("id")) and isinstance(owner.get("username"), str)):
                error = self.error(answer)
                if isinstance(error, Refused) or answer.status in {400, 422}:  # Mastodon's 422: a token of no user
                    reason = Text("The server does not take the token{quoted}", quoted=answer.quoted)
                    raise Blocked(reason, code=error.code, remedy=RENEW)
                raise error
        if owner["username"].lower() != self._handle:
            raise Blocked(
                Text("The token belongs to @{owner}, not to @{handle}.", owner=owner["username"], handle=self._handle),
                remedy=Text("Put the right token or handle into the channel's settings, then: policenotify doctor"),
            )
        return owner

    def number(self) -> str:
        """Return the account's id, which also proves that the token is its own. It is stored."""
        if not self._number:
            self._number = verify_owner(self._store, self._seal, lambda: str(self.owner()["id"]))
        return self._number

    def known(self) -> Instance:
        """Return the server as far as it is known. No network I/O."""
        if self._known is None:
            self._known, _ = self._load()
        return self._known

    def current(self) -> Instance:
        """Return the server as it was within the last day.

        A server that answers, but hides its limits, is taken for what it was, or for a plain Mastodon: that does not
        justify to hold back a post.

        Raises:
            Unavailable: It does not answer at all, or asks us to wait.
        """
        now = self.clock.now()
        if self.known().is_fresh(now):
            return self.known()
        self._known, version = self._load()
        if not self._known.is_fresh(now) and (answer := self._ask()) is not None:
            self._known = Instance.of(answer, at=now)
            # If it cannot be stored it is only asked for again. Another process may have stored the same already.
            with suppress(JournalError):
                self._store.compare_and_swap(_INSTANCE, self._known.model_dump_json(), version=version)
        return self._known

    def _load(self) -> tuple[Instance, int | None]:
        try:
            stored = self._store.load(_INSTANCE)
        except JournalError:
            stored = None
        if stored is None:
            return Instance(), None
        try:
            return Instance.model_validate_json(stored.value), stored.version
        except ValidationError:  # written by another release
            return Instance(), stored.version

    def _ask(self) -> Mapping[str, Any] | None:
        with without_side_effects(Text("asking the server for its limits")):
            answer = self.ask("instance_v2")
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise self.error(answer)
        return answer.object if answer.ok and isinstance(answer.object.get("version"), str) else None

    def close(self) -> None:
        """Let the library go. A later call loads it again."""
        for name in ("_library", "_session"):
            self.__dict__.pop(name, None)

    @cached_property
    def _session(self) -> PostSession:
        # No address of the API ends in a slash (docs.joinmastodon.org/methods).
        plain = self._server.startswith("http:")
        return open_session(self._timeout, plain=plain, rewrite=lambda url: url.rstrip("/"))

    @cached_property
    def _library(self) -> mastodon.Mastodon:
        library: mastodon.Mastodon = load("mastodon").Mastodon(
            api_base_url=self._server,
            session=self._session,
            ratelimit_method="throw",
            user_agent="policenotify",
            # With both the library asks no server for its version, and uses the upload that may take its time (v2).
            mastodon_version="4.5.0",
            version_check_mode="created",
        )
        # Only now: the constructor would read a file that is named like the token.
        library.access_token = self._token.get_secret_value()
        return library
