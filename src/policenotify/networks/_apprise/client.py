"""One call of one of apprise's services, and what became of it.

`notify()` tells success from failure only; why is in what the plugin logs. So each service here gets a logger of its
own, which nobody else hears: it takes the HTTP status from the plugin's words, and the exception that the plugin is
handling while it speaks. Nothing of apprise or requests is replaced.

Importing this module loads apprise.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

import requests
from apprise.common import NotifyFormat, OverflowMode
from apprise.plugins.base import NotifyBase
from requests.utils import get_environ_proxies, select_proxy

from policenotify.errors import Blocked, ChannelError, JournalError, Refused, Unavailable, Unconfirmed
from policenotify.networks._apprise import plugin
from policenotify.networks._apprise.plugin import plugin_of, schemes
from policenotify.networks._apprise.url import GENERIC, scheme_of
from policenotify.transport import before_publishing, error_for_exception, error_for_status, is_loopback, quoted

# `error=403`, as 167 of the 189 plugins of apprise 2.3.0 end their complaint; ntfy writes its own codes, such as
# 40301, whose first three digits are the status (docs.ntfy.sh).
_STATUS = re.compile(r"\berror=([1-5]\d\d)\d*\b")
_NOT_TLS = frozenset({"smpps"})  # apprise 2.3.0, plugins/smpp.py: an s, and no TLS
_NOT_THERE = frozenset({404, 405, 410})  # RFC 9110, sections 15.5.5, 15.5.6, 15.5.11
_NAMES = frozenset({"version", "title", "message", "type", "attachments"})  # of fields that a generic URL renames
_TOKEN = re.compile(r"\d|.{12}")  # in a path: words such as `send` are none
_LONGEST_WAIT = timedelta(days=1)
_DOCTOR = "then: policenotify doctor"


@dataclass(slots=True)
class CapturedLog:
    """What a plugin said of one call. Holds numbers and secrets: nothing of it goes anywhere as it is.

    Attributes:
        calls: How often it was about to reach out.
        status: The HTTP status of its last complaint.
        error: The exception of its last complaint.
        body: The answer that it quoted.
        said: Its warnings and errors.
        wait: For how many seconds the service wants to be left alone, if the plugin would have slept.
    """

    calls: int = 0
    status: int | None = None
    error: OSError | None = None
    body: bytes = b""
    said: list[str] = field(default_factory=list)
    wait: float = 0.0


Reading = Callable[[CapturedLog], ChannelError | None]
"""Reads out of what was heard what the status alone does not tell; `None`: nothing."""


class _Ear(logging.Logger):
    """Hears a plugin out, at every level and even where the process has switched logging off."""

    def __init__(self) -> None:
        super().__init__("policenotify.networks.apprise.channel")
        self.heard = CapturedLog()
        self._outer: BaseException | None = None

    def listen(self) -> CapturedLog:
        self.heard, self._outer = CapturedLog(), sys.exception()
        return self.heard

    def isEnabledFor(self, level: int) -> bool:  # noqa: ARG002, N802 - the interface of logging
        return True

    def handle(self, record: logging.LogRecord) -> None:
        try:
            said = record.getMessage()
        except (TypeError, ValueError):  # logging itself would only complain of it
            return
        if record.levelno >= logging.WARNING:
            self.heard.said.append(said)
        if found := _STATUS.search(said):
            self.heard.status, self.heard.error = int(found[1]), None
        error = sys.exception()
        if isinstance(error, OSError) and error is not self._outer:  # requests' errors are, and those of sockets
            self.heard.status, self.heard.error = None, error
        if isinstance(record.args, tuple) and record.args and isinstance(record.args[0], bytes):
            self.heard.body = record.args[0]


class _AskedToWait(Exception):
    """The service wants to be left alone for a while; the plugin would have slept."""


class _Heeding(NotifyBase):  # type: ignore[no-untyped-call]  # apprise annotates not all of it
    """A plugin that says when it reaches out, and never sleeps."""

    logger: _Ear

    def throttle(self, last_io: datetime | None = None, wait: float | None = None) -> None:  # noqa: ARG002 - as apprise
        if wait:
            self.logger.heard.wait = wait
            raise _AskedToWait
        if self.logger.heard.calls:
            before_publishing()
        self.logger.heard.calls += 1


@cache
def _heeding(scheme: str) -> type[NotifyBase]:
    plugin = plugin_of(scheme)
    if plugin is None:
        raise Blocked(
            "apprise knows no service by the scheme of the channel's url.",
            remedy=f"Check what stands before :// (https://appriseit.com/services/), {_DOCTOR}",
        )
    if not plugin.enabled:
        raise Blocked(
            f"apprise cannot use {plugin.service_name} on this machine.",
            remedy=f"Install what {plugin.setup_url} asks for, {_DOCTOR}",
        )
    return type(plugin.__name__, (_Heeding, plugin), {})


def open_service(url: str, *, timeout: float, unencrypted: bool) -> Any:  # noqa: ANN401 - each plugin has its own fields
    """Make the service of a URL. Reaches no network.

    Args:
        url: The URL.
        timeout: Seconds to wait for a connection, and again for each piece of an answer.
        unencrypted: Calls may leave this machine without encryption.

    Raises:
        Blocked: The URL makes no sense to apprise, or the call would not be safe.
    """
    scheme = scheme_of(url)
    made: Any = plugin.service(_heeding(scheme), url)
    made.logger = _Ear()
    made.redirects = False
    made.socket_connect_timeout = made.socket_read_timeout = timeout
    made.body_max_line_count = 0  # apprise would cut the rest off without a word
    at, secure = address_of(made), schemes(type(made), "secure_protocol") - _NOT_TLS
    plain = at.startswith("http://") if at else scheme not in secure
    if plain and made.host and not unencrypted and not is_loopback(made.host.strip("[]")):
        raise Blocked(
            "The channel's url would send the message without encryption. Nothing was sent.",
            remedy="Use the scheme's encrypted form (forms://, jsons://, ntfys:// …), or set unencrypted = true "
            "for a network of your own.",
        )
    if plain and not unencrypted and select_proxy(at, get_environ_proxies(at)):
        raise Blocked(
            "A proxy would carry the message off this machine without encryption. Nothing was sent.",
            remedy=f"Name {made.host} in NO_PROXY, or set unencrypted = true for a network of your own, {_DOCTOR}",
        )
    return made


def address_of(service: Any) -> str:  # noqa: ANN401 - as above
    """The base of the HTTP address that a service calls; empty: it speaks another protocol, or does not say."""
    fixed = getattr(service, "notify_url", None)
    if getattr(service, "mode", None) == "cloud":  # ntfy
        fixed = getattr(service, "cloud_notify_url", fixed)
    if isinstance(fixed, str) and fixed.startswith(("http://", "https://")):
        parts = urlsplit(fixed.replace("{host}", service.host or ""))
        return f"{parts.scheme}://{parts.netloc}" if re.fullmatch(r"[\w.:-]+", parts.netloc) else ""
    host = service.template_tokens.get("host", {})
    if not service.host or not host or host.get("private") or not hasattr(sys.modules[_module(service)], "requests"):
        return ""
    port = f":{service.port}" if service.port else ""
    return f"http{'s' if service.secure else ''}://{service.host}{port}"


def _module(service: object) -> str:
    return type(service).__mro__[2].__module__  # behind _heeding's class and _Heeding


def send(
    service: Any,  # noqa: ANN401 - as above
    text: str,
    *,
    title: str = "",
    plain_text: bool = False,
    where: str,
    now: datetime,
    reading: Reading = lambda _: None,
) -> ChannelError | None:
    """Let a service send a text, once and whole.

    Args:
        service: Made by `open_service`.
        text: What to send.
        title: Its title, for a service that has one.
        plain_text: The text is to be escaped where the service reads HTML or Markdown.
        where: Whom we call, in an officer's words.
        now: The time.
        reading: For services whose answers apprise tells only in words.

    Returns:
        `None` where apprise says that it was taken; else what went wrong.
    """
    before_publishing()  # and again before each further call of a plugin that makes several
    heard, taken = service.logger.listen(), False
    escaped: OSError | None = None
    with plugin.hush():
        try:
            taken = service.notify(
                body=text,
                title=title,
                overflow=OverflowMode.UPSTREAM,
                body_format=NotifyFormat.TEXT if plain_text else None,
            )
        except _AskedToWait:
            pass
        except JournalError:  # the lease is over
            raise
        except OSError as error:
            escaped = error
        except Exception:  # noqa: BLE001 - a plugin may fail in any way
            heard.status = heard.error = None
    if taken:
        return None
    heard.error = escaped or heard.error
    words = _words(service, heard, text, title)
    problem = reading(heard) or _judged(heard, where=where, now=now, words=words)
    service.logger.listen()  # forget what was heard: it holds the request
    return problem


def _words(service: Any, heard: CapturedLog, *said: str) -> str:  # noqa: ANN401 - as above
    """Return the words of a service that is called by a generic URL; of others the plugin knows what they answer."""
    if not schemes(type(service), "protocol", "secure_protocol") & GENERIC:
        return ""
    values = [
        str(value)
        for name in ("headers", "params", "payload_extras")
        for key, value in (getattr(service, name, None) or {}).items()
        if key not in _NAMES
    ]
    tokens = [part for part in str(service.fullpath or "").split("/") if _TOKEN.search(unquote(part))]
    return words_of(heard.body, filter(None, (service.user, service.password, *said, *values, *tokens)))


def _judged(heard: CapturedLog, *, where: str, now: datetime, words: str) -> ChannelError:
    if heard.wait:
        at = now + min(timedelta(seconds=heard.wait), _LONGEST_WAIT)
        return Unavailable(f"{where} asks us to wait.", retry_at=at, whole_channel=True, code="429")
    if heard.error is not None:
        problem = error_for_exception(heard.error, where=where)
        if isinstance(problem, Unavailable) and heard.calls > 1:  # the call before it may have been the post
            problem = Unconfirmed(f"{where} went away in the middle.", code=problem.code)
        return problem
    if heard.status is not None:
        return _of_status(heard.status, where=where, now=now, words=words)
    if not heard.calls:
        return Blocked(
            f"apprise did not even call {where}: something is missing in the channel's url.",
            remedy=f"Check it against https://appriseit.com/services/, {_DOCTOR}",
        )
    return Unconfirmed(f"{where} answered in a way that does not tell whether the post is out.")


def _of_status(status: int, *, where: str, now: datetime, words: str) -> ChannelError:
    if status in _NOT_THERE:
        return Blocked(
            f"{where} is not at the address in the channel's url, or does not know what is named there{quoted(words)}",
            code=str(status),
            remedy=f"Check the url, {_DOCTOR}",
        )
    return error_for_words(status, words, where=where, now=now)


def reach(service: Any, *, timeout: float, where: str) -> None:  # noqa: ANN401 - as above
    """Prove what can be proven without sending: the name resolves, somebody listens, the certificate is trusted.

    Services of no known address are passed over.

    Raises:
        Unavailable: Nobody can be reached there.
    """
    at, problem = address_of(service), None
    with plugin.hush():
        try:
            if at:
                requests.head(at, timeout=timeout, allow_redirects=False).close()
            elif service.host and service.port:
                socket.create_connection((service.host, service.port), timeout).close()
        except OSError as error:
            problem = error_for_exception(error, where=where)
    if isinstance(problem, Unavailable):
        raise problem
    if problem is not None:
        raise Unavailable(f"{where} cannot be reached.", code=problem.code, remedy="It will be tried again.")


_PAUSE = timedelta(seconds=5)  # a limit that has no status of its own is one of throughput, and counts by the second
_LONGEST = 160  # characters that are quoted
_SHORTEST = 3  # characters of a value that is masked: shorter ones occur in words by chance
_MASK = "<…>"
_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")
_TAG = re.compile(r"<[^<>]{0,200}>")
_PAGE = re.compile(r"<(style|script|head)\b.*?(</\1>|\Z)", re.DOTALL | re.IGNORECASE)
# Addresses, telephone numbers, and long words with a digit in them, as keys and tokens are.
_SECRETIVE = re.compile(r"[^\s<>:;,()\"']+@[^\s<>:;,()\"']+|\+?\d[\d .()-]{4,}\d|(?=[\w.-]*\d)[\w.-]{16,}")
_THROTTLED = re.compile(
    r"throughput|throttl|rate.?limit|slow down|too fast"
    r"|too many (\w+ )?(requests|messages|calls|connections|submissions)",
    re.IGNORECASE,
)
_UNPAID = re.compile(r"\b(credits?|charged?|charging|balance|quota|funds|prepaid|payment)\b", re.IGNORECASE)
_IDENTITY = re.compile(r"authent|authori|password|credential|log.?in|\b(token|key)\b", re.IGNORECASE)
_TOO_MANY = 429  # RFC 6585, section 4; when to ask again, apprise does not tell
_FORBIDDEN = 403  # RFC 9110, section 15.5.4
_PAYMENT = 402  # RFC 9110, section 15.5.3: gateways say so when the account is empty


def words_of(body: bytes, private: Iterable[str]) -> str:
    """Return the words of an answer in one line, without what nobody may read.

    Args:
        body: The answer, or its beginning.
        private: Values of the call: user, password, number, key, text. Addresses, numbers and tokens are masked anyway.
    """
    text = body.decode("utf-8", "replace")
    try:
        text = ", ".join(_leaves(json.loads(text)))
    except (ValueError, RecursionError):
        text = _TAG.sub(" ", _PAGE.sub(" ", text))
    text = _CONTROL.sub(" ", text).strip()
    values = {form for one in private for form in (one.strip(), quote(one, safe=""), quote_plus(one))}
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= _SHORTEST:
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", _MASK, text, flags=re.IGNORECASE)
    return _SECRETIVE.sub(_MASK, text)[:_LONGEST].strip()


def _leaves(value: object) -> Iterator[str]:
    """Yield the texts in a JSON value: names of fields and numbers explain nothing to a person."""
    if isinstance(value, str) and value.strip():
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _leaves(one)


def error_for_words(status: int, words: str, *, where: str, now: datetime) -> ChannelError:
    """Judge an answer that is not a success by its status and its words.

    Args:
        status: The HTTP status.
        words: As [`words_of`][policenotify.networks._apprise.client.words_of] returns them; may be empty.
        where: Whom we called, in an officer's words.
        now: The time.
    """
    code, told = str(status), quoted(words)
    if 400 <= status < 500:  # noqa: PLR2004 - RFC 9110, section 15.5; beyond, it may have been sent
        if status == _TOO_MANY or _THROTTLED.search(words):
            return Unavailable(
                f"{where} asks us to wait{told}",
                retry_at=None if status == _TOO_MANY else now + _PAUSE,
                whole_channel=True,
                code=code,
                remedy="It will be tried again. Give the channel the service's own limit as its `rate`.",
            )
        if status == _PAYMENT or _UNPAID.search(words):
            return Blocked(f"{where} is out of credit{told}", code=code, remedy=f"Buy credit, {_DOCTOR}")
        if status == _FORBIDDEN and words and not _IDENTITY.search(words):
            remedy = f"Check what the account may send, its password or token, and the sender, {_DOCTOR}"
            return Blocked(f"{where} does not let us send{told}", code=code, remedy=remedy)
    problem = error_for_status(status, {}, now=now, where=where, said=words)
    return Refused(f"{where} refused the message{told}", code=code) if isinstance(problem, Refused) else problem
