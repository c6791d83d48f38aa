"""Any of apprise's services: Telegram, ntfy, Matrix, Teams and a hundred others, each post a message there."""

from __future__ import annotations

import json
from importlib.util import find_spec
from typing import Any

from pydantic import SecretStr

from policenotify.channel import Account, Capabilities, Clock, Post, PostRef, Request
from policenotify.errors import Blocked, MissingExtra, Refused, SettingsError
from policenotify.networks import import_lock
from policenotify.networks._apprise.gateways import SCHEMES as SMS_SCHEMES
from policenotify.networks._apprise.url import read
from policenotify.text import Budget

_EXAMPLE = "ntfys://user:password@ntfy.police.example/alertes"
_OTHERS = {
    **dict.fromkeys(("mailto", "mailtos"), "email"),
    **dict.fromkeys(("x", "twitter", "tweet"), "x"),
    **dict.fromkeys(("mastodon", "mastodons", "toot", "toots"), "mastodon"),
    **dict.fromkeys(("bluesky", "bsky"), "bluesky"),
    **dict.fromkeys(SMS_SCHEMES, "sms"),
}
# Where the host in the URL is one, and not a token or a channel's secret name.
_AT_HOST = frozenset(
    {
        "apprise", "form", "gotify", "json", "matrix", "misskey", "mmost", "mqtt", "nctalk", "ncloud", "ntfy", "rocket",
        "xml", "xmpp",
    }
)  # fmt: skip
# Matrix has no titles: apprise would write one into the text as a heading of Markdown, which readers see as it is.
_UNTITLED = frozenset({"matrix", "matrixs"})
_HASHTAGS = frozenset({"misskey", "misskeys", "tgram"})  # where readers can follow one
_HEADLINE = (
    160  # a message's headline has so many characters at the most (policenotify.model.message); a shorter title cuts
)
_GLUE = 2  # what may stand between a title and a text that a service joins
_NTFY_TEXT = 4096  # bytes: docs.ntfy.sh, "Limitations"; more becomes an attachment
# apprise 2.3.0, plugins/ntfy.py: a body of more than 8000 bytes of JSON becomes an attachment, too. Less 64 for the
# topic, 1200 for 200 characters of title, each six bytes of JSON at the most (twelve for a pair), and 60 for the rest.
_NTFY_JSON = 8000 - 64 - 2400 - 60


class Apprise:
    """One of apprise's services, by its URL.

    A post is a message there, with a title where the service has one, and without pictures. It is not answered, not
    found, not changed and not taken back: apprise tells no more than that the service took it.

    Args:
        url: The service (<https://appriseit.com/services/>), such as `ntfys://user:password@ntfy.police.example/topic`;
            one target only. Percent-encode `@ : / ? #` in user, password and token.
        label: What the account is called in receipts; empty: the URL's scheme, and the host where it names one. Two
            channels of one service need two labels.
        unencrypted: The service may be called without encryption, in a network of your own.
        timeout: Seconds to wait for a connection, and again for each piece of an answer.
        clock: Time, handed in.

    Raises:
        SettingsError: An option makes no sense, or the URL belongs to a network that does more.
        MissingExtra: apprise is not installed.
    """

    def __init__(
        self,
        *,
        url: SecretStr,
        label: str = "",
        unencrypted: bool = False,
        timeout: float = 10.0,
        clock: Clock,
    ) -> None:
        if find_spec("apprise") is None or find_spec("requests") is None:
            raise MissingExtra("The network 'apprise'", "apprise")
        parts = read(url.get_secret_value(), example=_EXAMPLE)
        if other := _OTHERS.get(parts.scheme):
            raise SettingsError(f"url: {parts.scheme} is done better by another network: network = {other!r}")
        if not 0 < timeout <= 30:  # noqa: PLR2004 - a call must be over before the delivery's lease of 2 minutes
            raise SettingsError("timeout: must be a number of seconds above 0, and 30 at the most")
        at_host = parts.has_path and parts.scheme.removesuffix("s") in _AT_HOST  # ntfys://topic is a topic on ntfy.sh
        host = parts.host if at_host else ""
        self._account = label.strip() or " ".join(filter(None, (parts.scheme, host)))
        self._scheme = parts.scheme
        self._url = url
        self._unencrypted = unencrypted
        self._timeout = timeout
        self._clock = clock
        self._service: Any = None
        self._abilities: Capabilities | None = None

    def __repr__(self) -> str:
        return f"Apprise({self.account})"

    @property
    def capabilities(self) -> Capabilities:
        """What the service can do, as its plugin says. Loads the plugin; reaches no network.

        Raises:
            SettingsError: The URL makes no sense to apprise, or is not safe to use.
        """
        if self._abilities is None:
            try:
                self._abilities = _abilities(self._scheme, self._open())
            except Blocked as error:
                raise SettingsError(f"url: {error.reason} {error.remedy}") from None
        return self._abilities

    @property
    def account(self) -> str:
        """The label; else the URL's scheme, and its host where it names one."""
        return self._account

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:  # noqa: ARG002 - nothing is answered
        """Take over text and title.

        Raises:
            Refused: The service does not take so much text.
            Blocked: The URL makes no sense to apprise.
        """
        can = _abilities(self._scheme, self._open())
        if not can.budget.fits(post.text):
            used, limit = can.budget.usage(post.text)
            raise Refused(f"The text takes {used} of {limit} on {self._name()}.", remedy="Shorten it.")
        title = post.title if can.title else ""
        if len(title) > self._open().title_maxlen:
            raise Refused(f"The title is longer than {self._name()} takes.", remedy="Shorten the headline.")
        return Request(account=self.account, key=post.key, body={"text": post.text, "title": title})

    def send(self, request: Request) -> PostRef:
        """Hand the message over, once.

        Returns:
            Our own key for it: apprise tells no id.

        Raises:
            Refused: The service refused the message.
            Blocked: It does not accept our credentials, or is not at that address.
            Unavailable: It cannot be reached, or asks us to wait.
            Unconfirmed: No readable answer came.
        """
        with import_lock():
            from policenotify.networks._apprise.client import say  # noqa: PLC0415 - loads apprise

        problem = say(
            self._open(),
            str(request.body["text"]),
            title=str(request.body["title"]),
            plain_text=True,
            where=self._name(),
            now=self._clock.now(),
        )
        if problem is not None:
            raise problem
        return PostRef(account=self.account, id=request.key)

    def whoami(self) -> Account:
        """Read the URL as apprise does, and look whether the service can be reached. Sends nothing.

        That it accepts our credentials is not proven: apprise has no way to ask.

        Raises:
            Blocked: The URL makes no sense to apprise, or the call would not be safe.
            Unavailable: The service cannot be reached.
        """
        with import_lock():
            from policenotify.networks._apprise.client import reach  # noqa: PLC0415 - loads apprise

        reach(self._open(), timeout=self._timeout, where=self._name())
        return Account(id=self.account, name=self._name())

    def close(self) -> None:
        """Let go of the service. May be called twice."""
        if self._service is None:
            return
        from policenotify.networks._apprise.plugin import hush  # noqa: PLC0415 - loads apprise

        with hush():  # some plugins take leave when they go
            self._service = None

    def _name(self) -> str:
        return str(self._open().service_name)

    def _open(self) -> Any:  # noqa: ANN401 - each plugin has its own fields
        if self._service is None:
            with import_lock():
                from policenotify.networks._apprise.client import open_service  # noqa: PLC0415 - loads apprise

            service = open_service(self._url.get_secret_value(), timeout=self._timeout, unencrypted=self._unencrypted)
            if len(service) > 1:
                raise Blocked(
                    "The channel's url names several targets, and one that fails would hide that the others do not.",
                    remedy="Make a channel for each, and give them labels.",
                )
            self._service = service
        return self._service


def _abilities(scheme: str, service: Any) -> Capabilities:  # noqa: ANN401 - as above
    titled = service.title_maxlen >= _HEADLINE and scheme not in _UNTITLED
    if scheme in {"ntfy", "ntfys"}:
        budget = Budget(_NTFY_JSON, _in_json, max_bytes=_NTFY_TEXT)
    else:
        joined = service.title_maxlen + _GLUE if titled and service.overflow_amalgamate_title else 0
        budget = Budget(max(service.body_maxlen - joined, 1), _utf16)
    return Capabilities(budget=budget, title=titled, hashtags=scheme in _HASHTAGS, acceptance="unverified")


def _in_json(text: str) -> int:
    """Bytes of the text in JSON as apprise writes it: all that is not ASCII is escaped."""
    return len(json.dumps(text)) - 2


def _utf16(text: str) -> int:
    """Units of UTF-16, as Telegram counts; no service counts more for a character."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
