"""Any service of apprise: Telegram, ntfy, Matrix, Teams and a hundred others."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import SecretStr

from policenotify.channel import Account, Capabilities, Post, PostRef, Request, Services
from policenotify.errors import Blocked, Refused, SettingsError
from policenotify.networks import require
from policenotify.networks._apprise import load_service
from policenotify.networks._apprise.answers import judge
from policenotify.networks._apprise.url import SCHEMES as SMS_SCHEMES
from policenotify.networks._apprise.url import read
from policenotify.networks.options import CallSeconds, ChannelOptions
from policenotify.text import Budget
from policenotify.translation import Text
from policenotify.validation import at_place

_EXAMPLE = "ntfys://user:password@ntfy.police.example/alertes"
_OTHER_NETWORKS = {
    **dict.fromkeys(("mailto", "mailtos"), "email"),
    **dict.fromkeys(("x", "twitter", "tweet"), "x"),
    **dict.fromkeys(("mastodon", "mastodons", "toot", "toots"), "mastodon"),
    **dict.fromkeys(("bluesky", "bsky"), "bluesky"),
    **dict.fromkeys(SMS_SCHEMES, "sms"),
}
# Matrix has no titles: apprise would put one into the text as a Markdown heading, which readers see as source.
_UNTITLED = frozenset({"matrix", "matrixs"})
_HASHTAGS = frozenset({"misskey", "misskeys", "tgram"})  # where readers can follow them
_CALL = re.compile(r"<(?=[@#!]|https?://[^\s<>|]{0,2000}+\|)")
_EVERYBODY = re.compile(r"@(?=(?:all|channel|everyone|here|room)\b)", re.IGNORECASE)
_LINK = re.compile(r"\](?=\([^()\s.:/]{0,2000}[.:/])")
_HEADLINE = 160  # characters of a headline (policenotify.model.message), which a shorter title would cut
_GLUE = 2  # characters between title and text where a service joins them
_NTFY_TEXT = 4096  # bytes: docs.ntfy.sh, "Limitations"; a longer text becomes an attachment
# apprise 2.3.0, plugins/ntfy.py: a body of more than 8000 bytes of JSON becomes an attachment, too. 64 are for the
# topic, 2400 for 200 characters of title (each at most twelve bytes), and 60 for the rest.
_NTFY_JSON = 8000 - 64 - 2400 - 60


class Apprise:
    """A service of apprise, given by its URL.

    A post is a message there, with a title if the service has one, and without pictures. There are no replies, lookups,
    edits and deletions, because apprise only returns success or failure.

    Raises:
        SettingsError: apprise cannot read the URL, it is not safe to use, or another network supports the service
            better.
        MissingExtra: The extra `apprise` is not installed.
    """

    class Options(ChannelOptions):
        """A service."""

        url: SecretStr
        """The service (<https://appriseit.com/services/>), such as `ntfys://user:password@ntfy.police.example/topic`,
        with one target. Percent-encode `@ : / ? #` in user, password and token."""
        label: str = ""
        """The account's name in receipts. Empty: the URL's scheme. Two channels of one service need two labels."""
        unencrypted: bool = False
        """Allow calls without encryption, in a network of your own."""
        timeout: CallSeconds = 10.0
        """Seconds to wait for a connection, and again for the answer. Services that are not called by HTTP
        (MQTT, SMPP, XMPP) have the limits of their plugin."""

    def __init__(self, options: Options, services: Services) -> None:
        require("apprise", "apprise", "requests")
        url = options.url.get_secret_value()
        parts = read(url, example=_EXAMPLE)
        if other := _OTHER_NETWORKS.get(parts.scheme):
            raise SettingsError(
                Text(
                    "url: another network supports {scheme} better: network = {other!r}",
                    scheme=parts.scheme,
                    other=other,
                )
            )
        self.account: str = options.label.strip() or parts.scheme
        self._timeout = options.timeout
        self._clock = services.clock
        try:
            self._service = load_service().open_service(url, timeout=options.timeout, unencrypted=options.unencrypted)
        except Blocked as error:
            raise SettingsError(at_place("url", Text.join(" ", (error.reason, error.remedy)))) from None
        if len(self._service) > 1:
            reason = Text(
                "The channel's url names several targets, whose results apprise does not report "
                "separately. Nothing was sent."
            )
            remedy = Text("Make a channel for each, and give them labels.")
            raise SettingsError(at_place("url", Text.join(" ", (reason, remedy))))
        self._name = str(self._service.service_name)
        self.capabilities: Capabilities = _capabilities_of(parts.scheme, self._service)

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:  # noqa: ARG002 - there are no replies
        """Check the lengths of text and title.

        Raises:
            Refused: The text or title is too long for the service.
        """
        can = self.capabilities
        text = _without_markup(post.text)
        if not can.budget.fits(text):
            used, limit = can.budget.usage(text)
            raise Refused(
                Text("The text takes {used} of {limit} on {name}.", used=used, limit=limit, name=self._name),
                remedy=Text("Shorten it."),
            )
        title = _without_markup(post.title) if can.title else ""
        if len(title) > self._service.title_maxlen:
            raise Refused(
                Text("The title is longer than {name} takes.", name=self._name), remedy=Text("Shorten the headline.")
            )
        return Request(account=self.account, key=post.key, body={"text": text, "title": title})

    def send(self, request: Request) -> PostRef:
        """Send the message once. apprise returns no id, so ours is used.

        Raises:
            ChannelError: See `Channel.send`.
        """
        text, title = str(request.body["text"]), str(request.body["title"])
        answer = load_service().send(self._service, text, title=title, plain_text=True)
        if answer.accepted:
            return PostRef(account=self.account, id=request.key)
        raise judge(answer, where=self._name, now=self._clock.now())

    def whoami(self) -> Account:
        """Check that the service can be reached. Sends nothing.

        apprise cannot check credentials.

        Raises:
            Unavailable: The service cannot be reached.
        """
        load_service().reach(self._service, timeout=self._timeout, where=self._name)
        return Account(id=self.account, name=self._name)

    def close(self) -> None:
        """Release the service. May be called twice."""
        with load_service().hush():  # some plugins log out when they are deleted
            self._service = None


def _without_markup(text: str) -> str:
    """Return a text in which no service finds a link under other words, or a call of people.

    Many services read Markdown and the markup of Slack: `[police.fr](https://…)`, `<https://…|police.fr>`, `<@&1>`.
    Discord, Mattermost and others call everybody by `@here`.
    """
    return _EVERYBODY.sub("@ ", _CALL.sub("< ", _LINK.sub("] ", text)))


def _capabilities_of(scheme: str, service: Any) -> Capabilities:  # noqa: ANN401 - each plugin has its own fields
    titled = service.title_maxlen >= _HEADLINE and scheme not in _UNTITLED
    if scheme in {"ntfy", "ntfys"}:
        budget = Budget(_NTFY_JSON, _in_json, max_bytes=_NTFY_TEXT)
    else:
        joined = service.title_maxlen + _GLUE if titled and service.overflow_amalgamate_title else 0
        budget = Budget(max(service.body_maxlen - joined, 1), _utf16)
    return Capabilities(budget=budget, title=titled, hashtags=scheme in _HASHTAGS, acceptance="unverified")


def _in_json(text: str) -> int:
    """Return the bytes of a text in JSON with escaped characters."""
    return len(json.dumps(text)) - 2


def _utf16(text: str) -> int:
    """Return the units of UTF-16, as Telegram counts. No service counts more."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
