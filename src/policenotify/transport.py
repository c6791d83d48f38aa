"""Calls to a server: secrets, logs, and the meaning of a failed call for a post.

[`error_for_exception`][policenotify.transport.error_for_exception] and
[`error_for_status`][policenotify.transport.error_for_status] decide, for HTTP and SMTP, if a call may be repeated.

An exception is judged by whether the server may have acted on the request. The names of the classes in its MRO decide,
so that no client library is imported here. Only the error of the *last* attempt is visible. A client that repeats
calls or follows redirects on its own may have sent the post before it failed to connect, so this must be switched off.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from policenotify.errors import Blocked, ChannelError, Refused, Unavailable, Unconfirmed
from policenotify.translation import AnyText, Text
from policenotify.validation import sentence

# Errors before the request leaves: no address, no listener, no free connection, an untrusted certificate, a proxy of an
# unsupported kind (`InvalidSchema`), a mail server without a greeting. `SSLError` (a broken record in the answer) and
# `LocalProtocolError` (a body longer than announced) are missing, because they may also follow a sent request.
_NOT_SENT = frozenset(
    {
        "ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "InvalidURL", "InvalidSchema",
        "NewConnectionError", "ConnectTimeoutError", "NameResolutionError", "gaierror", "ConnectionRefusedError",
        "SSLCertVerificationError", "SMTPConnectError", "SMTPHeloError",
    }
)  # fmt: skip
_NO_NAME = (
    Text(": its name is not found"),
    Text(" Check the channel's address in the settings, and the DNS of this machine."),
)
_WHY = {
    "NameResolutionError": _NO_NAME,
    "gaierror": _NO_NAME,
    "SSLCertVerificationError": (
        Text(": its certificate is not trusted"),
        Text(" Check the clock and the authorities (CA certificates) of this machine."),
    ),
    "InvalidSchema": (
        Text(": no way leads there"),
        Text(" Check the proxy's settings of this machine (HTTPS_PROXY, ALL_PROXY)."),
    ),
}
_NO_AUTHORITIES = (
    Text(": the authorities (CA certificates) of this machine cannot be read"),
    Text(" Check the file that REQUESTS_CA_BUNDLE names."),
)
# Without a cause, the proxy refused the call. With one, it may have cut the connection after the whole request: urllib3
# uses the name for both.
_PROXY = "ProxyError"
# Nothing is posted until a person acts (RFC 9110, sections 15.5.2 to 15.5.4 and 15.5.8).
_WRONG_CREDENTIALS = (
    Text("{where} does not accept our credentials"),
    Text("Check the account and its password or token"),
)
_BLOCKED = {
    401: _WRONG_CREDENTIALS,
    402: (Text("{where} wants to be paid first"), Text("Check the account's credits or plan")),
    403: _WRONG_CREDENTIALS,
    407: (Text("{where} is behind a proxy that wants a login"), Text("Check the proxy's settings of this machine")),
}
_NO_TUNNEL = "Tunnel connection failed"  # http.client's OSError for a proxy that refuses CONNECT: no bytes went further
_NO_BUNDLE = "Could not find a suitable TLS CA certificate bundle"  # requests' OSError, before it connects
_WAIT_HEADERS = ("retry-after", "ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset")
_MAX_WAIT = timedelta(days=1)  # the longest window of Bluesky and X
_MAX_SKEW = timedelta(days=36_525)  # a machine without its clock battery is in 1970, but a Date of 1900 is an error
_YEAR_2001 = 1_000_000_000  # a larger number of seconds is a Unix time, not a delay


def is_loopback(host: str) -> bool:
    """Return True if the host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_secure_url(url: str) -> bool:
    """Return True if a secret may be sent there: by https, or on this machine."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    local = parts.scheme == "http" and is_loopback(host)
    return bool(host) and (parts.scheme == "https" or local) and parts.username is None


def mute_loggers(*loggers: logging.Logger) -> Callable[[], AbstractContextManager[None]]:
    """Make a context manager that drops what the current thread logs to these loggers.

    Libraries log addresses, numbers and tokens: `urllib3.connectionpool` logs each URL with its query. Other threads
    keep their log, and so do the loggers' children. Never hold it open across a `yield` of a generator.
    """
    muted: ContextVar[bool] = ContextVar("policenotify_muted", default=False)

    for logger in loggers:
        logger.addFilter(lambda _record: not muted.get())

    @contextmanager
    def mute() -> Iterator[None]:
        before = muted.set(True)
        try:
            yield
        finally:
            muted.reset(before)

    return mute


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Return the direct causes of an error: `__cause__`, `reason` and its arguments.

    `__context__` is left out: it may be the error of an *earlier* attempt.
    """
    candidates = (error.__cause__, getattr(error, "reason", None), *error.args)
    return (cause for cause in candidates if isinstance(cause, BaseException))


def _never_sent(error: BaseException, above: frozenset[int] = frozenset()) -> bool:
    """Return True if the request certainly never left. An error of an unknown class is judged by all its causes."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & _NOT_SENT or str(error).startswith(_NO_TUNNEL) or _lacks_authorities(error):
        return True
    above |= {id(error)}
    deeper = [cause for cause in _causes(error) if id(cause) not in above]
    return all(_never_sent(cause, above) for cause in deeper) if deeper else _PROXY in names


def _lacks_authorities(error: BaseException) -> bool:
    """Return True if the local CA bundle cannot be loaded."""
    return getattr(error, "library", None) == "X509" or str(error).startswith(_NO_BUNDLE)


def why_unreachable(error: BaseException) -> tuple[AnyText, AnyText]:
    """Return why a call never reached a server, if a person can do something about it.

    Returns:
        The text that follows "cannot be reached", and the remedy. Both may be empty.
    """
    chain = [error]
    for each in chain:  # which grows meanwhile
        chain += [cause for cause in _causes(each) if cause not in chain]
    if any(map(_lacks_authorities, chain)):
        return _NO_AUTHORITIES
    names = {kind.__name__ for cause in chain for kind in type(cause).__mro__}
    return next((texts for name, texts in _WHY.items() if name in names), ("", ""))


@contextmanager
def without_side_effects(where: AnyText, doing: AnyText) -> Iterator[None]:
    """Turn `Unconfirmed` into `Unavailable` for calls that publish nothing.

    The text names the server, and the activity as what follows "while": `logging in`.
    """
    try:
        yield
    except Unconfirmed as error:
        raise Unavailable(
            Text("{where} gave no usable answer while {doing}; this attempt posted nothing.", where=where, doing=doing),
            code=error.code,
            remedy=error.remedy or Text("It will be tried again."),
        ) from None


def error_for_exception(error: BaseException, *, where: AnyText) -> ChannelError:
    """Return the error for a call without an answer.

    The library's own text is not repeated: it may hold an address or a token.

    Args:
        error: The exception of the client library.
        where: The server's name in an officer's words: `Bluesky`, `the mail server`.

    Returns:
        `Unavailable` if the request certainly never left, else `Unconfirmed`.
    """
    name = type(error).__name__
    if _never_sent(error):
        why, remedy = why_unreachable(error)
        return Unavailable(
            Text("{where} cannot be reached{why}.", where=where, why=why),
            code=name,
            remedy=Text("It will be tried again.{remedy}", remedy=remedy),
        )
    return Unconfirmed(Text("{where} gave no answer: the connection was lost.", where=where), code=name)


def error_for_status(
    status: int, headers: Mapping[str, str], *, now: datetime, where: AnyText, code: str = "", detail: str = ""
) -> ChannelError:
    """Return the error for an HTTP status that is not a success.

    See RFC 9110, section 15, and RFC 6585, section 4.

    Args:
        status: The HTTP status.
        headers: The answer's headers.
        now: The time by this machine's clock.
        where: The server's name in an officer's words.
        code: The network's own code for the error.
        detail: The network's own words, if they are known to hold no secret.
    """
    full_code = f"{status} {code}".strip()
    words = quoted(detail)
    if status == 429:  # noqa: PLR2004 - RFC 6585, section 4
        at = retry_at(headers, now=now)
        return Unavailable(
            Text("{where} asks us to wait{words}", where=where, words=words),
            retry_at=at,
            whole_channel=True,
            code=full_code,
        )
    if status in _BLOCKED:
        reason, remedy = _BLOCKED[status]
        return Blocked(
            Text("{reason}{words}", reason=reason.filled(where=where), words=words),
            code=full_code,
            remedy=Text("{remedy}, then: policenotify doctor", remedy=remedy),
        )
    if status >= 500 or status < 400:  # noqa: PLR2004 - RFC 9110, section 15
        reason = Text(
            "{where} answered in a way that leaves open whether the post is out{words}", where=where, words=words
        )
        return Unconfirmed(reason, code=full_code)
    if status in {408, 425}:
        return Unavailable(Text("{where} did not take the request{words}", where=where, words=words), code=full_code)
    return Refused(Text("{where} refused the post{words}", where=where, words=words), code=full_code)


def quoted(text: str) -> AnyText:
    """Return a server's own words as the end of a sentence, after a colon."""
    words = text.strip()
    return Text(": {words}", words=sentence(words)) if words else "."


def retry_at(headers: Mapping[str, str], *, now: datetime) -> datetime | None:
    """Return the earliest time of the next call, if the network gives one.

    Reads `Retry-After` (RFC 9110, section 10.2.3: seconds or a date) and the customary rate-limit headers (seconds, a
    Unix time, or an ISO 8601 time). A time is one of the network's clock. The result is one of this machine's clock,
    between *now* and a day later, the longest window of Bluesky and X. An error in one answer must not silence a
    channel for years.
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    skew = clock_skew(lower, now=now)
    there = now + skew
    for name in _WAIT_HEADERS:
        if (value := lower.get(name)) and (at := _time(value, there)) is not None:
            return min(max(at, there), there + _MAX_WAIT) - skew
    return None


def clock_skew(headers: Mapping[str, str], *, now: datetime) -> timedelta:
    """Return how far the network's clock is ahead of this machine's, by its `Date`.

    Header names are in lower case. `Date` has whole seconds (RFC 9110, section 6.6.1). Without a usable one, the result
    is zero.
    """
    try:
        skew = parsedate_to_datetime(headers["date"]) - now
    except (KeyError, ValueError, TypeError, OverflowError):  # TypeError: no zone; OverflowError: a year 10¹⁰
        return timedelta(0)
    return skew if abs(skew) < _MAX_SKEW else timedelta(0)


def _time(value: str, now: datetime) -> datetime | None:
    try:
        number = float(value)
    except ValueError:
        pass
    else:
        try:
            return datetime.fromtimestamp(number, UTC) if number > _YEAR_2001 else now + timedelta(seconds=number)
        except (OverflowError, ValueError, OSError):
            return None
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            at = parse(value)
        except (ValueError, OverflowError):
            continue
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    return None
