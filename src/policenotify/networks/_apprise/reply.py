"""What the answer of a service means that is not a success: its status, and its words where no plugin reads them.

A service that is called by `form://`, `json://` or `xml://` has no plugin that knows its codes, and many give one
status for several faults. jasmin 0.11.1 answers 403 for a wrong password, for a throughput that is exceeded and for an
empty account: only the words differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, quote_plus

from policenotify.errors import Blocked, ChannelError, Refused, Unavailable
from policenotify.transport import error_for_status, quoted

GENERIC: Final = frozenset({"form", "forms", "json", "jsons", "xml", "xmls"})
"""Schemes whose URL spells the whole call: the service behind them is known to the installation alone."""

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
_DOCTOR = "then: policenotify doctor"


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
        words: As [`words_of`][policenotify.networks._apprise.reply.words_of] returns them; may be empty.
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
    problem = error_for_status(status, {}, now=now, where=where, detail=words)
    return Refused(f"{where} refused the message{told}", code=code) if isinstance(problem, Refused) else problem
