"""One call of a service of apprise, with its result.

`notify()` returns success or failure only, and the reason is in the plugin's log. So each service gets a private
logger, which takes the HTTP status from the plugin's messages, and the exception that the plugin is handling while it
logs. Nothing of apprise or requests is replaced.

Importing this module loads apprise.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from html import escape
from types import FunctionType
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

import requests
from apprise.common import NotifyFormat, OverflowMode
from apprise.plugins.base import NotifyBase
from requests.utils import get_environ_proxies, select_proxy

from policenotify.errors import Blocked, ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.networks._apprise import plugin
from policenotify.networks._apprise.plugin import plugin_of, schemes
from policenotify.networks._apprise.url import GENERIC, scheme_of
from policenotify.networks._bounds import ADDRESS, beginning, rebound
from policenotify.networks._requests import BoundedRequests, last_headers
from policenotify.transport import (
    error_for_exception,
    error_for_status,
    is_loopback,
    quoted,
    retry_at,
)

# `error=403`, as 167 of the 189 plugins of apprise 2.3.0 end their log line. ntfy writes codes such as 40301, which
# begin with the status (docs.ntfy.sh).
_STATUS = re.compile(r"\berror=([1-5]\d\d)\d*\b")
_NOT_TLS = frozenset({"smpps"})  # apprise 2.3.0, plugins/smpp.py: no TLS in spite of the s
_NOT_THERE = frozenset({404, 405, 410})  # RFC 9110, sections 15.5.5, 15.5.6, 15.5.11
_NAMES = frozenset({"version", "title", "message", "type", "attachments"})  # fields that a generic URL renames
_TOKEN = re.compile(r"\d|.{12}")  # parts of a path that may be tokens, unlike words such as `send`
_LONGEST_WAIT = timedelta(days=1)
_MAX_LOGGED = 10_000  # characters of a line: plugins log whole answers
_DOCTOR = "then: policenotify doctor"


@dataclass(slots=True)
class CapturedLog:
    """The log of a plugin during one call, which holds secrets.

    Attributes:
        calls: Number of HTTP calls begun.
        status: The HTTP status of the last logged failure.
        error: The exception of the last logged failure.
        body: The answer that was logged.
        messages: Warnings and errors.
        wait: Seconds that the plugin would have slept because the service asked for it.
        headers: The headers of the last answer, by names in lower case.
    """

    calls: int = 0
    status: int | None = None
    error: OSError | None = None
    body: bytes = b""
    messages: list[str] = field(default_factory=list)
    wait: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)


ReplyReader = Callable[[CapturedLog], ChannelError | None]
"""Returns the error in a log that the status alone does not show, or `None`."""


class _CapturingLogger(logging.Logger):
    """A logger that captures every level, even where the process has disabled logging."""

    def __init__(self) -> None:
        super().__init__("policenotify.networks.apprise")
        self.captured = CapturedLog()
        self._outer: BaseException | None = None

    def start(self) -> CapturedLog:
        self.captured, self._outer = CapturedLog(), sys.exception()
        return self.captured

    def isEnabledFor(self, level: int) -> bool:  # noqa: ARG002, N802 - the interface of logging
        return True

    def handle(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()[:_MAX_LOGGED]
        except (TypeError, ValueError):  # logging would ignore it as well
            return
        if record.levelno >= logging.WARNING:
            self.captured.messages.append(message)
        if match := _STATUS.search(message):
            self.captured.status, self.captured.error = int(match[1]), None
        error = sys.exception()
        if isinstance(error, OSError) and error is not self._outer:  # the base of errors of requests and sockets
            self.captured.status, self.captured.error = None, error
        if isinstance(record.args, tuple) and record.args and isinstance(record.args[0], bytes):
            self.captured.body = record.args[0]


class _RateLimited(Exception):
    """The service asks for a pause, and the plugin would have slept."""


class _NoSleep(NotifyBase):  # type: ignore[no-untyped-call]  # apprise is not fully annotated
    """A plugin that counts its calls and never sleeps."""

    logger: _CapturingLogger

    def throttle(self, last_io: datetime | None = None, wait: float | None = None) -> None:  # noqa: ARG002 - as apprise
        if wait:
            self.logger.captured.wait = wait
            raise _RateLimited
        self.logger.captured.calls += 1


class _NoCalls:
    """Discord's plugin, which lets no text call people or roles. The URL's own `ping` still does."""

    ping: list[str]

    def _send(self, payload: dict[str, Any], *args: Any, **kwargs: Any) -> object:  # noqa: ANN401 - as apprise
        quiet: dict[str, Any] = {} if self.ping else {"allowed_mentions": {"parse": []}}
        parent: Any = super()
        sent: object = parent._send(payload | quiet, *args, **kwargs)  # noqa: SLF001 - apprise has no option for it
        return sent


@cache
def _plugin_class(scheme: str) -> type[NotifyBase]:
    plugin = plugin_of(scheme)
    if plugin is None:
        raise Blocked(
            "apprise has no service for the scheme of the channel's url. Nothing was sent.",
            remedy=f"Check the part before :// (https://appriseit.com/services/), {_DOCTOR}",
        )
    if not plugin.enabled:
        raise Blocked(
            f"apprise cannot use {plugin.service_name} on this machine.",
            remedy=f"Install what {plugin.setup_url} asks for, {_DOCTOR}",
        )
    bounded = type(plugin.__name__, (_NoSleep, plugin), _bounded(plugin))
    return type(plugin.__name__, (_NoCalls, bounded), {}) if scheme == "discord" else bounded


def _bounded(plugin: type[NotifyBase]) -> dict[str, Any]:
    """Return the plugin's methods that use requests, with each call bounded."""
    return {
        name: rebound(method, requests=BoundedRequests())
        for kind in reversed(plugin.__mro__)
        for name, method in vars(kind).items()
        if isinstance(method, FunctionType) and method.__globals__.get("requests") is requests
    }


def open_service(url: str, *, timeout: float, unencrypted: bool) -> Any:  # noqa: ANN401 - each plugin has its own fields
    """Return the service of a URL. Reaches no network.

    Args:
        url: The URL.
        timeout: Seconds to wait for a connection, and again for the whole answer.
        unencrypted: Allow calls without encryption.

    Raises:
        Blocked: apprise cannot read the URL, or the call would not be safe.
    """
    scheme = scheme_of(url)
    service: Any = plugin.make_service(_plugin_class(scheme), url)
    service.logger = _CapturingLogger()
    service.redirects = False
    service.socket_connect_timeout = service.socket_read_timeout = timeout
    service.body_max_line_count = 0  # apprise would silently cut further lines
    base_url, secure = base_url_of(service), schemes(type(service), "secure_protocol") - _NOT_TLS
    plain = base_url.startswith("http://") if base_url else scheme not in secure
    if plain and service.host and not unencrypted and not is_loopback(service.host.strip("[]")):
        raise Blocked(
            "The channel's url would send the message without encryption. Nothing was sent.",
            remedy="Use the scheme's encrypted form (forms://, jsons://, ntfys:// …), or set unencrypted = true "
            "for a network of your own.",
        )
    if plain and not unencrypted and select_proxy(base_url, get_environ_proxies(base_url)):
        raise Blocked(
            "A proxy would carry the message off this machine without encryption. Nothing was sent.",
            remedy=f"Name {service.host} in NO_PROXY, or set unencrypted = true for a network of your own, {_DOCTOR}",
        )
    return service


def base_url_of(service: Any) -> str:  # noqa: ANN401 - see open_service
    """Return the base of the HTTP URL that a service calls, if known."""
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
    return next(kind.__module__ for kind in type(service).__mro__ if kind.__module__.startswith("apprise."))


def send(
    service: Any,  # noqa: ANN401 - see open_service
    text: str,
    *,
    title: str = "",
    plain_text: bool = False,
    where: str,
    now: datetime,
    reader: ReplyReader = lambda _: None,
) -> ChannelError | None:
    """Send a text through a service, once and whole.

    Args:
        service: Made by `open_service`.
        text: The text.
        title: The title, for a service that has one.
        plain_text: Escape the text where the service reads HTML or Markdown.
        where: The service's name in error texts.
        now: The time.
        reader: For services whose answers apprise only logs.

    Returns:
        `None` if apprise reports success and *reader* finds no error, else the error.
    """
    log, accepted = service.logger.start(), False
    escaped: OSError | None = None
    body, body_format = text, NotifyFormat.TEXT if plain_text else None
    if plain_text and service.resolve_format(NotifyFormat.TEXT) is NotifyFormat.HTML:
        # apprise's own conversion leaves `<la rue>` as it is, and Telegram's plugin then drops it as an unknown tag.
        body, body_format = escape(text, quote=False).replace("\n", "<br/>"), NotifyFormat.HTML
    with plugin.hush(), last_headers() as log.headers:
        try:
            accepted = service.notify(body=body, title=title, overflow=OverflowMode.UPSTREAM, body_format=body_format)
        except _RateLimited:
            pass
        except OSError as error:
            escaped = error
        except Exception:  # noqa: BLE001 - a plugin may fail in any way
            log.status = log.error = None
    if accepted:
        return reader(log)
    log.error = escaped or log.error
    words = _words(service, log, text, title)
    problem = reader(log) or _judge(log, where=where, now=now, words=words)
    service.logger.start()  # drop the log, which holds the request
    return problem


def _words(service: Any, log: CapturedLog, *content: str) -> str:  # noqa: ANN401 - see open_service
    """Return the error text of a service with a generic URL."""
    if not schemes(type(service), "protocol", "secure_protocol") & GENERIC:
        return ""
    values = [
        str(value)
        for name in ("headers", "params", "payload_extras")
        for key, value in (getattr(service, name, None) or {}).items()
        if key not in _NAMES
    ]
    tokens = [part for part in str(service.fullpath or "").split("/") if _TOKEN.search(unquote(part))]
    return words_of(log.body, filter(None, (service.user, service.password, *content, *values, *tokens)))


def _judge(log: CapturedLog, *, where: str, now: datetime, words: str) -> ChannelError:
    if log.wait:
        at = now + min(timedelta(seconds=log.wait), _LONGEST_WAIT)
        return Unavailable(f"{where} asks us to wait.", retry_at=at, whole_channel=True, code="429")
    if log.error is not None:
        problem = error_for_exception(log.error, where=where)
        if isinstance(problem, Unavailable) and log.calls > 1:  # the call before it may have published
            problem = Unconfirmed(f"{where} broke off the connection. The post may be published.", code=problem.code)
        return problem
    if log.status is not None:
        return _judge_status(log.status, log.headers, where=where, now=now, words=words)
    if not log.calls:
        return Blocked(
            f"apprise did not call {where}: something is missing in the channel's url. Nothing was sent.",
            remedy=f"Check it against https://appriseit.com/services/, {_DOCTOR}",
        )
    return Unconfirmed(f"The answer of {where} does not show whether the post is published.")


def _judge_status(status: int, headers: Mapping[str, str], *, where: str, now: datetime, words: str) -> ChannelError:
    if status in _NOT_THERE:
        return Blocked(
            f"{where} is not at the address in the channel's url, or does not know the target in it{quoted(words)}",
            code=str(status),
            remedy=f"Check the url, {_DOCTOR}",
        )
    problem = error_for_words(status, words, headers, where=where, now=now)
    wait = {name: value for name, value in headers.items() if name in {"retry-after", "date"}}
    if status == _OVERLOADED and (at := retry_at(wait, now=now)) is not None:
        return Unconfirmed(problem.reason, remedy=problem.remedy, code=problem.code, retry_at=at)
    return problem


def reach(service: Any, *, timeout: float, where: str) -> None:  # noqa: ANN401 - see open_service
    """Check name, connection and certificate of a service without sending.

    Services without a known address are skipped.

    Raises:
        Unavailable: No server can be reached there.
    """
    base_url, problem = base_url_of(service), None
    with plugin.hush():
        try:
            if base_url:
                BoundedRequests().head(base_url, timeout=timeout, allow_redirects=False).close()
            elif service.host and service.port:
                socket.create_connection((service.host.strip("[]"), int(service.port)), timeout).close()
        except (OSError, UnicodeError) as error:  # the latter of a name with an empty or too long label
            problem = error_for_exception(error, where=where)
    if isinstance(problem, Unavailable):
        raise problem
    if problem is not None:
        raise Unavailable(f"{where} cannot be reached.", code=problem.code, remedy="It will be tried again.")


_PAUSE = timedelta(seconds=5)  # after a throughput limit, which counts by the second
_MAX_QUOTED = 160  # characters
_MIN_MASKED = 3  # characters of a private value: shorter ones occur by chance
_MASK = "<…>"
_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")
_TAG = re.compile(r"<[^<>]{0,200}+>")
_PAGE = re.compile(r"<(style|script|head)\b.*?(</\1>|\Z)", re.DOTALL | re.IGNORECASE)
# Addresses, telephone numbers, and long words that contain a digit, as keys and tokens do.
_SECRET = re.compile(rf"{ADDRESS}|(?<![\w.-])(?=[\w.-]*\d)[\w.-]{{16,}}")
_NUMBER = re.compile(r"\+?\d[\d .()-]{4,}\d")
_THROTTLED = re.compile(
    r"throughput|throttl|rate.?limit|slow down|too fast"
    r"|too many (\w+ )?(requests|messages|calls|connections|submissions)",
    re.IGNORECASE,
)
_UNPAID = re.compile(r"\b(credits?|charged?|charging|balance|quota|funds|prepaid|payment)\b", re.IGNORECASE)
_IDENTITY = re.compile(r"authent|authori|password|credential|log.?in|\b(token|key)\b", re.IGNORECASE)
_TOO_MANY = 429  # RFC 6585, section 4
_OVERLOADED = 503  # RFC 9110, section 15.6.4
_FORBIDDEN = 403  # RFC 9110, section 15.5.4
_PAYMENT = 402  # RFC 9110, section 15.5.3: the account is empty


def words_of(body: bytes, private: Iterable[str]) -> str:
    """Return the words of an answer in one line, without private values.

    Args:
        body: The answer, or its beginning.
        private: Values of the call: user, password, number, key, text. Addresses, numbers and tokens are always masked.
    """
    text = body.decode("utf-8", "replace")
    try:
        text = ", ".join(_leaves(json.loads(text)))
    except (ValueError, RecursionError):
        text = _TAG.sub(" ", _PAGE.sub(" ", text[:_MAX_LOGGED]))
    text = _CONTROL.sub(" ", beginning(text)).strip()
    values = {form for value in private for form in (value.strip(), quote(value, safe=""), quote_plus(value))}
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= _MIN_MASKED:
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", _MASK, text, flags=re.IGNORECASE)
    return _NUMBER.sub(_MASK, _SECRET.sub(_MASK, text))[:_MAX_QUOTED].strip()


def _leaves(value: object) -> Iterator[str]:
    """Yield the texts in a JSON value."""
    if isinstance(value, str) and value.strip():
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)


def error_for_words(status: int, words: str, headers: Mapping[str, str], *, where: str, now: datetime) -> ChannelError:
    """Return the error of an unsuccessful answer from its status and words.

    Args:
        status: The HTTP status.
        words: As [`words_of`][policenotify.networks._apprise.client.words_of] returns them. May be empty.
        headers: The answer's headers, by names in lower case.
        where: The service's name in error texts.
        now: The time.
    """
    code, suffix = str(status), quoted(words)
    if 400 <= status < 500:  # noqa: PLR2004 - RFC 9110, section 15.5; a 5xx may have been sent
        if status == _TOO_MANY or _THROTTLED.search(words):
            return Unavailable(
                f"{where} asks us to wait{suffix}",
                retry_at=retry_at(headers, now=now) or (None if status == _TOO_MANY else now + _PAUSE),
                whole_channel=True,
                code=code,
                remedy="It will be tried again. Give the channel the service's own limit as its `rate`.",
            )
        if status == _PAYMENT or _UNPAID.search(words):
            return Blocked(f"{where} is out of credit{suffix}", code=code, remedy=f"Buy credit, {_DOCTOR}")
        if status == _FORBIDDEN and words and not _IDENTITY.search(words):
            remedy = f"Check what the account may send, its password or token, and the sender, {_DOCTOR}"
            return Blocked(f"{where} does not let us send{suffix}", code=code, remedy=remedy)
    problem = error_for_status(status, headers, now=now, where=where, detail=words)
    return Refused(f"{where} refused the message{suffix}", code=code) if isinstance(problem, Refused) else problem
