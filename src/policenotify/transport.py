"""What goes over the wire: where a secret may be sent, who may log it, and what a failed call means for a post.

May I ask again? That is what [`error_for_exception`][policenotify.transport.error_for_exception] and
[`error_for_status`][policenotify.transport.error_for_status] answer, for HTTP and SMTP.

The SDKs raise their own and their libraries' exceptions; what counts is whether the request can have been acted on.
Errors are told by the names in their class's line of ancestors, so that no client library is imported here.

What is judged is the error of the *last* attempt: a client that repeats calls or follows redirects by itself may have
sent the post before it failed to connect, and must be told not to.
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
from policenotify.validation import sentence

# The request cannot have left: no address, nobody listening, no free connection, a certificate not trusted, a proxy
# that the library cannot speak to (`InvalidSchema`), a mail server that did not even greet. Not here, because they also
# come after the request has left: `SSLError` (a broken record in the answer), `LocalProtocolError` (a body longer than
# announced).
_NOT_SENT = frozenset(
    {
        "ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "InvalidURL", "InvalidSchema",
        "NewConnectionError", "ConnectTimeoutError", "NameResolutionError", "gaierror", "ConnectionRefusedError",
        "SSLCertVerificationError", "SMTPConnectError", "SMTPHeloError",
    }
)  # fmt: skip
_WHY = (
    (
        frozenset({"NameResolutionError", "gaierror"}),
        (": its name is not found", " Check the channel's address in the settings, and the DNS of this machine."),
    ),
    (
        frozenset({"SSLCertVerificationError"}),
        (": its certificate is not trusted", " Check the clock and the authorities (CA certificates) of this machine."),
    ),
    (
        frozenset({"InvalidSchema"}),
        (": no way leads there", " Check the proxy's settings of this machine (HTTPS_PROXY, ALL_PROXY)."),
    ),
)
_NO_AUTHORITIES = (
    ": the authorities (CA certificates) of this machine cannot be read",
    " Check the file that REQUESTS_CA_BUNDLE names.",
)
# The proxy said no, unless something stands behind it: urllib3 calls so, too, a connection that the proxy cut after
# it had taken the whole request.
_PROXY = "ProxyError"
# Nothing will be posted until a person acts (RFC 9110, sections 15.5.2 to 15.5.4 and 15.5.8).
_NOT_OURS = ("{where} does not accept our credentials", "Check the account and its password or token")
_BLOCKED = {
    401: _NOT_OURS,
    402: ("{where} wants to be paid first", "Check the account's credits or plan"),
    403: _NOT_OURS,
    407: ("The proxy before {where} wants a login", "Check the proxy's settings of this machine"),
}
_NO_TUNNEL = "Tunnel connection failed"  # http.client's OSError for a proxy that refuses CONNECT: no bytes went further
_NO_BUNDLE = "Could not find a suitable TLS CA certificate bundle"  # requests' OSError, before it connects
_LATER_AT = ("retry-after", "ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset")
_LONGEST_WAIT = timedelta(days=1)  # the longest window of the networks we know; see retry_at
_FURTHEST = timedelta(days=36_525)  # a clock without its battery says 1970; a Date of 1900 says nothing
_YEAR_2001 = 1_000_000_000  # a larger number of seconds is a Unix time, not a delay
_THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})


def is_loopback(host: str) -> bool:
    """Whether the host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_secure_url(url: str) -> bool:
    """Whether a password or token may be sent there: https, or this machine itself."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    plain = parts.scheme == "http" and parts.hostname in _THIS_MACHINE
    return bool(parts.hostname) and (parts.scheme == "https" or plain) and parts.username is None


def mute_loggers(*loggers: logging.Logger) -> Callable[[], AbstractContextManager[None]]:
    """Make a context manager that keeps these loggers from saying what this thread makes them say.

    Libraries log addresses, numbers and tokens: `urllib3.connectionpool` every address with its query. Whatever else
    the process does with them keeps its log. Never hold it open across a `yield` of a generator.

    Args:
        loggers: Each that speaks; those below it in the tree of names are others.
    """
    hushed: ContextVar[bool] = ContextVar("policenotify_hushed", default=False)

    class Hush(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - the interface of logging
            return not hushed.get()

    for logger in loggers:
        logger.addFilter(Hush())

    @contextmanager
    def hush() -> Iterator[None]:
        before = hushed.set(True)
        try:
            yield
        finally:
            hushed.reset(before)

    return hush


def causes(error: BaseException) -> Iterator[BaseException]:
    """What stands directly behind an error: its cause, its reason, and exceptions carried as its arguments.

    Not its context: that only tells what was being handled meanwhile, such as an *earlier* attempt.
    """
    told = (error.__cause__, getattr(error, "reason", None), *error.args)
    return (one for one in told if isinstance(one, BaseException))


def never_sent(error: BaseException) -> bool:
    """Whether the call certainly never reached the network's server.

    An error that does not tell by itself is judged by all that stand behind it.
    """
    return _never_sent(error, frozenset())


def _never_sent(error: BaseException, above: frozenset[int]) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & _NOT_SENT or str(error).startswith(_NO_TUNNEL) or _lacks_authorities(error):
        return True
    above |= {id(error)}
    behind = [one for one in causes(error) if id(one) not in above]
    return all(_never_sent(one, above) for one in behind) if behind else _PROXY in names


def _lacks_authorities(error: BaseException) -> bool:
    """Whether it tells that our own certificates cannot be read: there is no line without them."""
    return getattr(error, "library", None) == "X509" or str(error).startswith(_NO_BUNDLE)


def why_unreachable(error: BaseException) -> tuple[str, str]:
    """Why a call never reached a server, as far as a person can do something about it.

    Returns:
        What follows "cannot be reached", and what there is to check; both may be empty.
    """
    chain = list(_all_behind(error, frozenset()))
    if any(map(_lacks_authorities, chain)):
        return _NO_AUTHORITIES
    names = {kind.__name__ for one in chain for kind in type(one).__mro__}
    return next((told for known, told in _WHY if names & known), ("", ""))


def _all_behind(error: BaseException, above: frozenset[int]) -> Iterator[BaseException]:
    """The error and all that stand behind it."""
    yield error
    above |= {id(error)}
    for behind in causes(error):
        if id(behind) not in above:
            yield from _all_behind(behind, above)


_allow: ContextVar[Callable[[], None] | None] = ContextVar("policenotify_allow", default=None)


@contextmanager
def publishing_under(allow: Callable[[], None]) -> Iterator[None]:
    """Within, [`before_publishing`][policenotify.transport.before_publishing] asks *allow*, which may raise.

    Args:
        allow: Raises where nothing may be published any more.
    """
    before = _allow.set(allow)
    try:
        yield
    finally:
        _allow.reset(before)


def before_publishing() -> None:
    """Check that this process may still publish. Networks call it right before they write what readers will see.

    A process that was halted (a paused machine, a stopped process) may wake up after its lease. By then another one
    may have sent the same post. Outside a delivery it does nothing.

    Raises:
        LostLease: Nothing may be sent any more. Let it through.
        JournalError: The journal cannot be asked; nothing may be sent.
    """
    if (allow := _allow.get()) is not None:
        allow()


@contextmanager
def without_side_effects(where: str, doing: str) -> Iterator[None]:
    """Within, an unknown outcome is no doubt about a post: it becomes `Unavailable`.

    Args:
        where: Whom we call.
        doing: What is being done, to follow "while": `logging in`.
    """
    try:
        yield
    except Unconfirmed as error:
        raise Unavailable(
            f"{where} gave no usable answer while {doing}; this attempt posted nothing.",
            code=error.code,
            remedy=error.remedy or "It will be tried again.",
        ) from None


def error_for_exception(error: BaseException, *, where: str) -> ChannelError:
    """Judge a call that brought no answer.

    Args:
        error: What the client library raised.
        where: Whom we called, in an officer's words: `Bluesky`, `the mail server`.

    Returns:
        `Unavailable` when the request certainly never left, else `Unconfirmed`. The library's own text is not
        repeated: it may hold an address or a token.
    """
    name = type(error).__name__
    if never_sent(error):
        why, remedy = why_unreachable(error)
        return Unavailable(f"{where} cannot be reached{why}.", code=name, remedy=f"It will be tried again.{remedy}")
    within = f"the {where[4:]}" if where.startswith("The ") else where  # in the middle of a sentence
    return Unconfirmed(f"The connection to {within} was lost before its answer came.", code=name)


def error_for_status(
    status: int, headers: Mapping[str, str], *, now: datetime, where: str, code: str = "", detail: str = ""
) -> ChannelError:
    """Judge an answer that is not a success, as far as HTTP itself tells (RFC 9110, section 15; RFC 6585, section 4).

    Args:
        status: The HTTP status.
        headers: The answer's headers.
        now: The time, for answers that give a delay.
        where: Whom we called.
        code: The network's own code for the error.
        detail: The network's own words, if they are known to hold nothing secret.
    """
    told = f"{status} {code}".strip()
    words = quoted(detail)
    if status == 429:  # noqa: PLR2004 - RFC 6585, section 4
        at = retry_at(headers, now=now)
        return Unavailable(f"{where} asks us to wait{words}", retry_at=at, whole_channel=True, code=told)
    if status in _BLOCKED:
        what, remedy = _BLOCKED[status]
        return Blocked(f"{what.format(where=where)}{words}", code=told, remedy=f"{remedy}, then: policenotify doctor")
    if status >= 500 or status < 400:  # noqa: PLR2004 - RFC 9110, section 15
        return Unconfirmed(f"{where} answered in a way that does not tell whether the post is out{words}", code=told)
    if status in {408, 425}:
        return Unavailable(f"{where} did not take the request{words}", code=told)
    return Refused(f"{where} refused the post{words}", code=told)


def quoted(text: str) -> str:
    """Return a server's own words as the end of a sentence: after a colon, and with a full stop."""
    words = text.strip()
    return f": {sentence(words)}" if words else "."


def retry_at(headers: Mapping[str, str], *, now: datetime) -> datetime | None:
    """The time before which the network does not want to be asked again, if it says so.

    Reads `Retry-After` (RFC 9110, section 10.2.3: seconds or a date) and the customary rate-limit headers
    (seconds, a Unix time, or an ISO 8601 time). A time is one of the network's clock, a delay is one of any; what is
    returned is one of ours. Never before *now*, and never more than a day after it (the longest windows of Bluesky
    and X): a slip in one answer must not silence a channel for years.
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    apart = clock_skew(lower, now=now)
    there = now + apart
    for name in _LATER_AT:
        if (value := lower.get(name)) and (at := _time(value, there)) is not None:
            return min(max(at, there), there + _LONGEST_WAIT) - apart
    return None


def clock_skew(headers: Mapping[str, str], *, now: datetime) -> timedelta:
    """By how much the network's clock is ahead of ours, as far as its answer tells.

    Args:
        headers: The answer's headers, names in lower case. `Date` (RFC 9110, section 6.6.1) tells whole seconds.
        now: The time by our clock.

    Returns:
        Negative where ours is ahead; zero where the answer tells no time.
    """
    try:
        apart = parsedate_to_datetime(headers["date"]) - now
    except (KeyError, ValueError, TypeError, OverflowError):  # TypeError: it names no zone; OverflowError: a year 10¹⁰
        return timedelta(0)
    return apart if abs(apart) < _FURTHEST else timedelta(0)


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
