"""Services of apprise: how one is opened from its URL, and called.

`notify()` returns success or failure only, and the reason is in the plugin's log. So each service gets a private
logger, which takes the HTTP status from the plugin's messages, and the exception that the plugin is handling while it
logs.

Importing this module loads apprise, but not its plugins.
"""

from __future__ import annotations

import logging
import re
import socket
import sys
import warnings
from base64 import b64encode
from functools import cache
from html import escape
from http import HTTPStatus
from importlib import import_module
from typing import Any, Final, TypeAlias
from urllib.parse import unquote, urlsplit

from apprise import AppriseAsset
from apprise.common import NotifyFormat, OverflowMode
from apprise.exception import AppriseImproperlyConfigured
from apprise.logger import logger
from apprise.manager_plugins import NotificationManager
from apprise.plugins.base import NotifyBase
from requests.utils import get_environ_proxies, select_proxy

from policenotify.errors import Blocked
from policenotify.networks import import_lock
from policenotify.networks._apprise.answers import DOCTOR, ServiceAnswer, read_answer
from policenotify.networks._apprise.url import scheme_of
from policenotify.networks._requests import PostSession
from policenotify.translation import AnyText, Text
from policenotify.transport import error_for_exception, is_loopback, mute_loggers, without_side_effects

Service: TypeAlias = Any
"""A service of apprise: an object of its plugin, each with fields of its own."""

# service_timeout=0: apprise would abandon a service after 60 seconds while it goes on sending.
# http_redirects: posts and secrets go to no other host. image_url_…: apps would fetch pictures from GitHub.
_ASSET: Final = AppriseAsset(
    app_id="policenotify",
    service_timeout=0,
    secure_logging=True,
    allow_templates=False,
    http_redirects=False,
    image_url_mask="",
    image_url_logo="",
)

# `error=403`, as 167 of the 189 plugins of apprise 2.3.0 end their log line. ntfy writes codes such as 40301, which
# begin with the status (docs.ntfy.sh).
_STATUS: Final = re.compile(r"\berror=([1-5]\d\d)\d*\b")
# Of a plugin that waits itself, and then tries again.
_ASKED_TO_WAIT: Final = re.compile("throttle back|rate limiting in effect")
_NOT_TLS: Final = frozenset({"smpps"})  # apprise 2.3.0, plugins/smpp.py: no TLS in spite of the s
_SPELLED: Final = frozenset({"form", "json"})  # where a URL spells the call: what is private in it is known
_FIELDS: Final = frozenset({"version", "title", "message", "type", "attachments"})  # that a URL may rename
_TOKEN: Final = re.compile(r"\d|.{12}")  # parts of a path that may be tokens, unlike words such as `send`
_MAX_LOGGED: Final = 10_000  # characters of a line: plugins log whole answers

# At DEBUG, the libraries of the plugins log whole URLs with their queries.
hush = mute_loggers(logger, *map(logging.getLogger, ("urllib3.connectionpool", "urllib3.util.retry", "smpplib.Client")))
"""Keep apprise from logging in this thread."""


class CapturedLog(logging.Logger):
    """The log of a plugin during one call, whatever level the process logs. It holds secrets.

    Attributes:
        status: The HTTP status of the last logged failure, or 0.
        failure: The exception of the last logged failure.
        body: The answer that was logged.
        lines: Warnings and errors.
        sent: A success was logged.
    """

    def __init__(self) -> None:
        super().__init__("policenotify.networks.apprise")
        self.start()

    def start(self) -> None:
        """Forget the last call."""
        self.status = 0
        self.failure: OSError | None = None
        self.body = b""
        self.lines: list[str] = []
        self.sent = False
        self._outer = sys.exception()

    def isEnabledFor(self, level: int) -> bool:  # noqa: ARG002, N802 - the interface of logging
        """Return True."""
        return True

    def handle(self, record: logging.LogRecord) -> None:
        """Take what a record shows."""
        try:
            message = record.getMessage()[:_MAX_LOGGED]
        except (TypeError, ValueError):  # logging would ignore it as well
            return
        if record.levelno >= logging.WARNING:
            self.lines.append(message)
        self.sent |= record.levelno == logging.INFO
        if match := _STATUS.search(message):
            self.status, self.failure = int(match[1]), None
        elif _ASKED_TO_WAIT.search(message):
            self.status, self.failure = HTTPStatus.TOO_MANY_REQUESTS, None
        error = sys.exception()
        if isinstance(error, OSError) and error is not self._outer:  # the base of errors of requests and sockets
            self.status, self.failure = 0, error
        if isinstance(record.args, tuple) and record.args and isinstance(record.args[0], bytes):
            self.body = record.args[0]


def open_service(url: str, *, timeout: float, unencrypted: bool) -> Service:
    """Return the service of a URL. Reaches no network.

    It waits neither before requests (apprise's default is 5.5 seconds) nor retries. For a connection, and again for the
    answer, it waits *timeout* seconds.

    Raises:
        Blocked: apprise cannot read the URL, or the call would not be safe.
    """
    scheme = scheme_of(url)
    service = read_service(_plugin_of(scheme), url)
    service.logger = CapturedLog()
    service.socket_connect_timeout = service.socket_read_timeout = timeout
    service.body_max_line_count = 0  # apprise would silently cut further lines
    base_url, secure = base_url_of(service), _schemes(type(service), "secure_protocol") - _NOT_TLS
    if unencrypted or (base_url.startswith("https://") if base_url else scheme in secure):
        return service
    if service.host and not is_loopback(service.host.strip("[]")):
        raise Blocked(
            Text("The channel's url would send the message without encryption. Nothing was sent."),
            remedy=Text(
                "Use the scheme's encrypted form (forms://, jsons://, ntfys:// …), or set unencrypted = true "
                "for a network of your own."
            ),
        )
    if select_proxy(base_url, get_environ_proxies(base_url)):
        raise Blocked(
            Text("A proxy would carry the message off this machine without encryption. Nothing was sent."),
            remedy=Text(
                "Name {host} in NO_PROXY, or set unencrypted = true for a network of your own, {doctor}",
                host=service.host,
                doctor=DOCTOR,
            ),
        )
    return service


def read_service(plugin: type[NotifyBase], url: str) -> Service:
    """Return the service of a URL from a known plugin.

    Raises:
        Blocked: The plugin cannot read the URL. The URL is not repeated, because it holds a password.
    """
    service = None
    with hush():
        try:
            if parsed := plugin.parse_url(url):
                service = plugin(asset=_ASSET, **parsed)
        except (AppriseImproperlyConfigured, TypeError, ValueError, AttributeError):
            pass  # apprise's error holds the password
    if service is None:
        raise Blocked(
            Text("apprise cannot read the channel's url. Nothing was sent."),
            remedy=Text(
                "Write it as described at {setup_url}; percent-encode @ : / ? # in user and password.",
                setup_url=plugin.setup_url,
            ),
        )
    service.request_rate_per_sec = 0
    service.retry = 0
    return service


@cache
def _plugin_of(scheme: str) -> type[NotifyBase]:
    """Return the plugin of a lower-case scheme. All are loaded only if no module is named like it."""
    plugin = None
    with import_lock, warnings.catch_warnings():  # apprise imports imghdr, which is deprecated
        warnings.simplefilter("ignore", DeprecationWarning)
        plain = scheme.removesuffix("s")
        for name in (scheme, plain, f"custom_{plain}"):
            try:
                module = import_module(f"apprise.plugins.{name}")
            except ImportError:
                continue
            kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, NotifyBase)]
            plugin = next((each for each in kinds if scheme in _schemes(each, "protocol", "secure_protocol")), plugin)
        if plugin is None:
            every: Any = NotificationManager()  # type: ignore[no-untyped-call]  # apprise is not fully annotated
            plugin = every[scheme] if scheme in every else None  # noqa: SIM401 - it has no get
    if plugin is None:
        raise Blocked(
            Text("apprise has no service for the scheme of the channel's url. Nothing was sent."),
            remedy=Text("Check the part before :// (https://appriseit.com/services/), {doctor}", doctor=DOCTOR),
        )
    if not plugin.enabled:
        raise Blocked(
            Text("apprise cannot use {service_name} on this machine.", service_name=plugin.service_name),
            remedy=Text("Install what {setup_url} asks for, {doctor}", setup_url=plugin.setup_url, doctor=DOCTOR),
        )
    return plugin


def _schemes(plugin: type[NotifyBase], *kinds: str) -> set[str]:
    """Return the schemes of a plugin in these of its attributes."""
    values = (getattr(plugin, kind, None) for kind in kinds)
    return {scheme for value in values for scheme in ([value] if isinstance(value, str) else value or ())}


def base_url_of(service: Service) -> str:
    """Return the base of the HTTP URL that a service calls, if known."""
    cloud = getattr(service, "mode", None) == "cloud"  # of ntfy
    fixed = getattr(service, "cloud_notify_url" if cloud else "notify_url", None)
    if isinstance(fixed, str) and fixed.startswith(("http://", "https://")):
        parts = urlsplit(fixed.replace("{host}", service.host or ""))
        return f"{parts.scheme}://{parts.netloc}" if re.fullmatch(r"[\w.:-]+", parts.netloc) else ""
    host = service.template_tokens.get("host", {"private": True})
    if not service.host or host.get("private") or not hasattr(sys.modules[type(service).__module__], "requests"):
        return ""
    port = f":{service.port}" if service.port else ""
    return f"http{'s' if service.secure else ''}://{service.host}{port}"


def send(service: Service, text: str, *, title: str = "", plain_text: bool = False) -> ServiceAnswer:
    """Send a text through a service, once and whole.

    Args:
        service: Made by `open_service`.
        text: The text.
        title: The title, for a service that has one.
        plain_text: Escape the text where the service reads HTML or Markdown.
    """
    body_format = NotifyFormat.TEXT if plain_text else None
    if plain_text and service.resolve_format(NotifyFormat.TEXT) is NotifyFormat.HTML:
        # apprise's own conversion leaves `<la rue>` as it is, and Telegram's plugin then drops it as an unknown tag.
        text, body_format = escape(text, quote=False).replace("\n", "<br/>"), NotifyFormat.HTML
    log: CapturedLog = service.logger
    log.start()
    service._last_io_datetime = None  # noqa: SLF001 - set by the first call: no public name shows whether there was one
    accepted = False
    try:
        with hush():
            accepted = service.notify(body=text, title=title, overflow=OverflowMode.UPSTREAM, body_format=body_format)
    except OSError as error:
        log.status, log.failure = 0, error
    except Exception:  # noqa: BLE001 - a plugin may fail in any way
        log.status, log.failure = 0, None
    if log.failure is not None and log.sent:
        log.failure = ConnectionError()  # not that of the first call: an earlier one may have published
    private = _private(service, text, title) if _SPELLED & _schemes(type(service), "protocol") else None
    answer = ServiceAnswer(
        accepted=accepted,
        called=service._last_io_datetime is not None,  # noqa: SLF001 - see above
        error=log.failure,
        http=read_answer(log.status, log.body, log.lines, private),
    )
    log.start()  # drop the log, which holds the request
    return answer


def _private(service: Service, *content: str) -> list[str]:
    """Return the values of a URL that spells its call, and that no answer may show."""
    values = [
        str(value)
        for name in ("headers", "params", "payload_extras")
        for key, value in (getattr(service, name, None) or {}).items()
        if key not in _FIELDS
    ]
    tokens = [part for part in str(service.fullpath or "").split("/") if _TOKEN.search(unquote(part))]
    login = b64encode(f"{service.user}:{service.password or ''}".encode()).decode() if service.user else ""  # RFC 7617
    return [value for value in (service.user, service.password, login, *content, *values, *tokens) if value]


def reach(service: Service, *, timeout: float, where: AnyText) -> None:
    """Check name, connection and certificate of a service without sending.

    Services without a known address are skipped.

    Raises:
        Unavailable: No server can be reached there.
    """
    base_url = base_url_of(service)
    with hush(), without_side_effects(where, Text("being asked")):
        try:
            if base_url:
                with PostSession(timeout, plain=base_url.startswith("http:")) as session:
                    session.ask(lambda: session.head(base_url), where=where)
            elif service.host and service.port:
                socket.create_connection((service.host.strip("[]"), int(service.port)), timeout).close()
        except (OSError, UnicodeError) as error:  # the latter of a name with an empty or too long label
            raise error_for_exception(error, where=where) from None
