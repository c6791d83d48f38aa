"""A webhook: one signed call to one address for each post, with the item of a feed as its body."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, ClassVar, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError

from policenotify.channel import Account, Capabilities, Post, PostRef, Request, Services
from policenotify.errors import (
    Blocked,
    ChannelError,
    Refused,
    SettingsError,
    Unconfirmed,
    UnsupportedVersion,
)
from policenotify.formats.item import Item
from policenotify.networks import require
from policenotify.networks._http import AnswerRule, HttpAnswer, judge, open_session
from policenotify.networks._redact import words_of
from policenotify.networks.options import CallSeconds, ChannelOptions, SecretUrl
from policenotify.text import Budget
from policenotify.translation import AnyText, Text
from policenotify.transport import mute_loggers, without_side_effects

WHERE: Final = Text("The webhook's receiver")
_ASK: Final = Text("Ask the newsroom for its present url, then: policenotify doctor")

RULES: Final = (
    # RFC 9110, section 15.4: unlike 302 and 303, nothing was done
    AnswerRule(Blocked, Text("{where} is at another address. Nothing was sent there."), _ASK, {301, 307, 308}),
    # ibid., sections 15.5.5, 15.5.6, 15.5.11
    AnswerRule(Blocked, Text("{where} is not at the channel's url any more{words}"), _ASK, {404, 405, 410}),
    AnswerRule(
        Blocked,
        Text("{where} does not accept our signature{words}"),
        Text(
            "Compare the channel's secret with the newsroom's, and check this machine's clock, then: "
            "policenotify doctor"
        ),
        {401, 403},
    ),
    # A proxy before the receiver may answer so when the call has reached it.
    AnswerRule(
        Unconfirmed, Text("{where} answered in a way that leaves open whether the post is out{words}"), statuses={503}
    ),
)

_PREFIX: Final = "whsec_"
_SHORTEST, _LONGEST = 24, 64  # bytes of a secret (Standard Webhooks, "Signature scheme")
_CONNECT: Final = 5.0  # seconds: a server that does not even greet is not worth more
_NO_METHOD: Final = frozenset({400, 403, 404, 405, 415, 501})  # servers that take only POST answer so to HEAD
_PAGE: Final = re.compile(rb"\s*<")

_quiet = mute_loggers(logging.getLogger("urllib3.connectionpool"))  # it logs the path, which may be a token


def _signing_key(secret: SecretStr) -> SecretStr:
    read_secret(secret.get_secret_value())
    return secret


SigningKey = Annotated[SecretStr, AfterValidator(_signing_key)]


class Webhook:
    """A newsroom's system that takes each post by a signed call.

    The body is the same JSON document as an item of a feed, without pictures. The headers are those of Standard
    Webhooks: id, time of the attempt, and HMAC-SHA256 of both and the body.

    Each stage is a call of its own. A deleted post is a further call, whose item has no words.

    Raises:
        MissingExtra: The extra `webhook` is not installed.
    """

    default_capabilities: ClassVar[Capabilities] = Capabilities(
        budget=Budget(25_000),  # as a feed: a message at its longest
        title=True,
        replies=True,
        deletes=True,
        structured=True,
        hashtags=False,
    )

    class Options(ChannelOptions):
        """A receiver."""

        url: SecretUrl
        """The receiver's address. Receipts name only its host, since many services put a token into the path."""
        secret: SigningKey
        """`whsec_` and 24 to 64 bytes in Base64. The receiver has the same."""
        previous_secret: SigningKey | None = None
        """The secret before it, until the receiver has the new one. Calls are then signed by both."""
        label: str = ""
        """The account's name in receipts. Empty: the host. Two channels to one host need two labels."""
        remembers_hours: Annotated[int, Field(ge=0, le=720)] = 0
        """How long the receiver is known to take a call with the same `webhook-id` only once."""
        timeout: CallSeconds = 10.0
        """Seconds to wait for the answer."""

    def __init__(self, options: Options, services: Services) -> None:
        require("webhook", "requests")
        self.account: str = options.label.strip() or urlsplit(options.url.get_secret_value()).hostname or ""
        self._options = options
        self._secrets = [each for each in (options.secret, options.previous_secret) if each is not None]
        # A key counts only where the receiver is known to remember it.
        window = timedelta(hours=options.remembers_hours)
        self.capabilities: Capabilities = replace(self.default_capabilities, idempotency_window=window)
        self._clock = services.clock

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        """Freeze the body. See `Channel.prepare`."""
        item = Item.of(post, reply_to, account=self.account)
        return Request(account=self.account, key=post.key, body={"document": item.model_dump_json()})

    def send(self, request: Request) -> PostRef:
        """Make one call, signed with the time of this attempt. See `SupportsSend.send`."""
        document = str(request.body["document"])
        item = _read(document)
        withdrawn = item.withdrawn(item.published_at).model_dump_json()  # all that `delete` needs
        self._deliver(request.key, document.encode())
        return PostRef(account=self.account, id=item.id, extra={"thread": item.thread, "withdrawn": withdrawn})

    def delete(self, ref: PostRef) -> None:
        """Send the item without its words. See `SupportsDelete.delete`.

        Raises:
            Refused: The reference does not hold what is needed.
        """
        try:
            item = _read(ref.extra.get("withdrawn", ""))
        except ValidationError:
            item = None
        if item is None or ref.account != self.account:
            raise Refused(
                Text("The journal does not hold what the receiver needs to take the post down. Nothing was sent."),
                remedy=Text("Ask the newsroom to remove it."),
            )
        item = item.model_copy(update={"withdrawn_at": self._clock.now()})
        self._deliver(f"{item.key}-withdrawn", item.model_dump_json().encode())

    def whoami(self) -> Account:
        """Make a signed HEAD call, which has no content. See `Channel.whoami`."""
        with without_side_effects(WHERE, Text("being asked")):
            answer = self._call("HEAD", "whoami", b"")
            if not answer.in_class(2) and answer.status not in _NO_METHOD:
                raise self._error(answer)
        note: AnyText = ""
        if answer.status in _NO_METHOD:
            note = Text(
                "It takes no HEAD ({status}): the first post shows whether it accepts our signature.",
                status=answer.status,
            )
        return Account(id=self.account, name=self.account, note=note)

    def close(self) -> None:
        """Nothing stays open."""

    def _deliver(self, name: str, body: bytes) -> None:
        """Make a call that publishes.

        Raises:
            ChannelError: The receiver did not take it, or perhaps not.
        """
        answer = self._call("POST", name, body)
        if answer.status == HTTPStatus.CONFLICT and answer.headers.get("webhook-id") == name:
            return  # the receiver has taken it before
        if not answer.in_class(2):
            raise self._error(answer)
        if not answer.from_network:
            raise Unconfirmed(
                Text("{where} answered with a web page, as a proxy or portal does.", where=WHERE),
                code=str(answer.status),
                remedy=Text("Check the channel's url, and whether a proxy wants a login."),
            )

    def _call(self, method: Literal["HEAD", "POST"], name: str, body: bytes) -> HttpAnswer:
        keys = [read_secret(secret.get_secret_value()) for secret in self._secrets]
        headers = dict(signed_headers(keys, name, self._clock.now(), body))
        if body:
            headers["Content-Type"] = "application/json"
        url = self._options.url.get_secret_value()
        timeout = (min(self._options.timeout, _CONNECT), self._options.timeout)
        with _quiet(), open_session(timeout, plain=url.startswith("http:")) as session:
            raw = session.ask(lambda: session.request(method, url, data=body, headers=headers), where=WHERE)
        page = "html" in raw.headers.get("content-type", "") and _PAGE.match(raw.content)
        words = words_of(raw.content, [secret.get_secret_value() for secret in self._secrets])
        return HttpAnswer(raw.status, raw.headers, from_network=not page, message=words)

    def _error(self, answer: HttpAnswer) -> ChannelError:
        return judge(answer, RULES, now=self._clock.now(), where=WHERE)


def _read(document: str) -> Item:
    try:
        return Item.read(document)
    except UnsupportedVersion as error:
        raise Blocked(error.text) from None


def read_secret(secret: str) -> bytes:
    """Return the key of a secret, which is `whsec_` and the key in Base64.

    Raises:
        SettingsError: It has another form, or another length.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(_PREFIX) or not _SHORTEST <= len(key) <= _LONGEST:
        raise SettingsError(
            Text('must be whsec_ and 24 to 64 bytes in Base64. Make one: echo "whsec_$(openssl rand -base64 32)"')
        ) from None
    return key


def signed_headers(keys: Sequence[bytes], name: str, at: datetime, body: bytes) -> Mapping[str, str]:
    """Return the headers that prove the sender of a call.

    Args:
        keys: One signature is made by each.
        name: The call's id, which stays the same when the call is repeated.
        at: The time of this attempt.
        body: The body.
    """
    stamp = str(int(at.timestamp()))
    content = b".".join((name.encode(), stamp.encode(), body))
    signatures = (base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys)
    return {
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
