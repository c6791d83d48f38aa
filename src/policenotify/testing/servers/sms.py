"""Fake SMS gateways on the loopback, and the messages that each telephone shows.

```python
with FakeSmsServer() as server:
    server.refuse("+33600000002")
    ...                                    # the client, at server.url + server.KANNEL
    assert server.phone("+33600000001")[0].text == "Route barree"
```

The gateways share one address and are distinguished by their paths: Kannel's `sendsms` and a JSON call.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from policenotify.testing.servers.http import Answer, FakeServer, RecordedRequest, Refusal
from policenotify.text import sms

_ADDRESS = re.compile(r"(?:\+|00)?([1-9]\d{7,14})")
_GSM_CAPITAL = {"ç": "Ç"}  # the only cedilla of GSM 03.38


@dataclass(frozen=True, slots=True)
class ReceivedSms:
    """A message as a telephone shows it.

    Attributes:
        to: The telephone's number, in E.164.
        sender: The displayed sender.
        encoding: The encoding of the transport.
        segments: The number of segments, each of which is paid for.
        gateway: The gateway that accepted it.
    """

    to: str
    sender: str
    text: str
    encoding: Literal["GSM-7", "UCS-2"]
    segments: int
    gateway: str

    def __repr__(self) -> str:
        return f"<ReceivedSms by {self.gateway}, {self.encoding}, {self.segments} segments>"


class FakeSmsServer(FakeServer):
    """SMS gateways with one account each.

    Args:
        now: The gateways' clock.

    Attributes:
        user: The user of Kannel and the JSON call.
        password: Its password.
    """

    KANNEL = "/cgi-bin/sendsms"
    """The path of Kannel."""
    JSON = "/send"
    """The path of the JSON call."""

    def __init__(self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__(now=now)
        self.user: str = "desk"
        self.password: str = "s3cret"  # noqa: S105 - not a secret
        self._messages: list[ReceivedSms] = []
        self._refused: set[str] = set()
        self.on("*", self.KANNEL, _guarded(self._kannel))
        self.on("POST", self.JSON, _guarded(self._json))

    @property
    def messages(self) -> tuple[ReceivedSms, ...]:
        """Every accepted message in order."""
        with self._lock:
            return tuple(self._messages)

    def phone(self, number: str) -> tuple[ReceivedSms, ...]:
        """Return the messages of one telephone; *number* in E.164."""
        return tuple(message for message in self.messages if message.to == number)

    def refuse(self, number: str) -> None:
        """Reject this number, in each gateway's form, until `recover()`."""
        with self._lock:
            self._refused.add(number)

    def recover(self) -> None:
        """End every fault and refusal."""
        with self._lock:
            self._refused.clear()
        super().recover()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The password, which must appear nowhere."""
        return (self.password,)

    def _accept(
        self, gateway: str, number: str, text: str, rejected: Answer, *, sender: str, ucs2: bool = False
    ) -> ReceivedSms:
        """Accept a message, as a gateway that chooses the encoding itself unless it must take UCS-2.

        Raises:
            Refusal: With *rejected*. The number is invalid or refused, or the text is empty.
        """
        match = _ADDRESS.fullmatch(number)
        to = f"+{match[1]}" if match else ""
        if not to or to in self._refused or not text:
            raise Refusal(rejected)
        counted = sms(text)
        message = ReceivedSms(to, sender, text, counted.encoding, counted.segments, gateway)
        if ucs2 and counted.encoding == "GSM-7":
            units = len(text.encode("utf-16-be")) // 2
            message = replace(message, encoding="UCS-2", segments=1 if units <= 70 else -(-units // 67))  # noqa: PLR2004 - 3GPP TS 23.038
        if not self.drops_posts:
            with self._lock:
                self._messages.append(message)
        return message

    def _kannel(self, request: RecordedRequest) -> Answer:
        """Answer `sendsms` of Kannel 1.4.5 (user guide, chapter 6)."""
        params = _params(request)
        if (params.get("username"), params.get("password")) != (self.user, self.password):
            return Answer(403, b"Authorization failed for sendsms")
        text, ucs2 = params.get("text", ""), params.get("coding", "0") == "2"
        shown = text if ucs2 else "".join(map(_gsm, text))
        rejected = Answer(400, b"Number(s) has/have been denied by white- and/or black-lists.")
        self._accept("kannel", params.get("to", ""), shown, rejected, sender=params.get("from", ""), ucs2=ucs2)
        return Answer(202, b"0: Accepted for delivery")

    def _json(self, request: RecordedRequest) -> Answer:
        """Answer a gateway without a plugin: JSON, with HTTP authentication (RFC 7617)."""
        login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if request.headers["Authorization"] != f"Basic {login}":
            return Answer.json({"error": "unauthorized"}, 401)
        body = request.json()
        rejected = Answer.json({"error": "invalid recipient"}, 400)
        self._accept("json", body["to"], body["message"], rejected, sender=body.get("from", ""))
        return Answer.json({"status": "queued"})


def _guarded(answer: Callable[[RecordedRequest], Answer]) -> Callable[[RecordedRequest], Answer]:
    """Answer 400 to a request that cannot be parsed."""

    def guarded(request: RecordedRequest) -> Answer:
        try:
            return answer(request)
        except (ValueError, LookupError, TypeError, AttributeError):
            return Answer.json({"error": "bad request"}, 400)

    return guarded


def _params(request: RecordedRequest) -> dict[str, str]:
    values = request.query if request.method == "GET" else request.form()
    return {name: value[0] for name, value in values.items()}


def _gsm(letter: str) -> str:
    """Return the letter that Kannel sends at `coding=0`."""
    if sms(letter).encoding == "GSM-7":
        return letter
    return _GSM_CAPITAL.get(letter, "?")
