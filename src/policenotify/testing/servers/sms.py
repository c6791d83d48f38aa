"""Fake SMS gateways on the loopback, and the messages that each telephone shows.

```python
with FakeSmsServer() as server:
    server.refuse("+33600000002")
    ...                                    # the client, at server.url + server.KANNEL
    assert server.phone("+33600000001")[0].text == "Route barree"
```

The gateways share one address and are distinguished by their paths: Kannel's `sendsms`, jasmin's `send` and a JSON
call.
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
_JASMIN_FIELDS = {
    "username", "password", "to", "from", "content", "coding", "priority", "sdt", "dlr", "dlr-url", "dlr-level", "tags",
}  # fmt: skip
_DCS = {"0": "GSM-7", "8": "UCS-2"}  # SMPP 3.4, section 5.2.19; a telephone shows others as octets
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
    encoding: Literal["GSM-7", "UCS-2", "8-bit"]
    segments: int
    gateway: str

    def __repr__(self) -> str:
        return f"<ReceivedSms by {self.gateway}, {self.encoding}, {self.segments} segments>"


class FakeSmsServer(FakeServer):
    """SMS gateways with one account each.

    Args:
        now: The gateways' clock.

    Attributes:
        user: The user of Kannel, jasmin and the JSON call.
        password: Its password.
        credit: Messages left until jasmin answers 403. `None`: enough.
        burst: Messages left until jasmin answers that the throughput is exceeded (403). `None`: no limit.
    """

    KANNEL = "/cgi-bin/sendsms"
    """The path of Kannel."""
    JASMIN = "/jasmin/send"
    """The path of jasmin; a real one has `/send`."""
    JSON = "/send"
    """The path of the JSON call."""

    def __init__(self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__(now=now)
        self.user: str = "desk"
        self.password: str = "s3cret"  # noqa: S105 - not a secret
        self.credit: int | None = None
        self.burst: int | None = None
        self._messages: list[ReceivedSms] = []
        self._refused: set[str] = set()
        gateways: tuple[tuple[str, Callable[[RecordedRequest], Answer]], ...] = (
            (self.KANNEL, self._kannel),
            (self.JASMIN, self._jasmin),
            (self.JSON, self._json),
        )
        for path, answer in gateways:
            self.on("POST", path, _guarded(answer))
        self.on("GET", self.KANNEL, _guarded(self._kannel))
        self.on("GET", self.JASMIN, _guarded(self._jasmin))

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
        self, gateway: str, number: str, text: str, rejected: Answer, *, sender: str, encoding: str = ""
    ) -> ReceivedSms:
        """Accept a message, as a gateway that chooses the encoding itself.

        Raises:
            Refusal: With *rejected*. The number is invalid or refused, or the text is empty.
        """
        match = _ADDRESS.fullmatch(number)
        to = f"+{match[1]}" if match else ""
        if not to or to in self._refused or not text:
            raise Refusal(rejected)
        counted = sms(text)
        message = ReceivedSms(to, sender, text, counted.encoding, counted.segments, gateway)
        if encoding == "UCS-2" and counted.encoding == "GSM-7":
            units = len(text.encode("utf-16-be")) // 2
            message = replace(message, encoding="UCS-2", segments=1 if units <= 70 else -(-units // 67))  # noqa: PLR2004 - 3GPP TS 23.038
        elif encoding == "8-bit":
            octets = len(text)  # each is shown as a letter
            message = replace(message, encoding="8-bit", segments=1 if octets <= 140 else -(-octets // 134))  # noqa: PLR2004 - 3GPP TS 23.038
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
        if not ucs2:
            text = "".join(_gsm(letter) for letter in text)
        rejected = Answer(400, b"Number(s) has/have been denied by white- and/or black-lists.")
        encoding, sender = "UCS-2" if ucs2 else "GSM-7", params.get("from", "")
        self._accept("kannel", params.get("to", ""), text, rejected, sender=sender, encoding=encoding)
        return Answer(202, b"0: Accepted for delivery")

    def _jasmin(self, request: RecordedRequest) -> Answer:
        """Answer the HTTP API of jasmin 0.11.1."""
        params = _params(request)
        if unknown := sorted(params.keys() - _JASMIN_FIELDS):
            return _jasmin_error(400, f"Argument [{unknown[0]}] is unknown.")
        if (params.get("username"), params.get("password")) != (self.user, self.password):
            return _jasmin_error(403, f"Authentication failure for username:{params.get('username')}")
        if self.burst == 0:
            return _jasmin_error(403, "User throughput exceeded")
        if self.credit == 0:
            return _jasmin_error(403, "Cannot charge submit_sm, check RouterPB log file for details")
        text, coding = params.get("content", ""), params.get("coding", "0")
        shown = {"0": "".join(map(_gsm, text)), "8": text.encode().decode("utf-16-be", "replace")}.get(
            coding, text.encode().decode("latin-1")
        )
        rejected, sender = _jasmin_error(412, "No route found"), params.get("from", "")
        encoding = _DCS.get(coding, "8-bit")
        self._accept("jasmin", params.get("to", ""), shown, rejected, sender=sender, encoding=encoding)
        self.burst = None if self.burst is None else self.burst - 1
        self.credit = None if self.credit is None else self.credit - 1
        return Answer(200, b'Success "07033084-5cfd-4812-90a4-e4d24ffb6e3d"')

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


def _jasmin_error(status: int, text: str) -> Answer:
    return Answer(status, f'Error "{text}"'.encode())


def _gsm(letter: str) -> str:
    """Return the letter that Kannel sends at `coding=0`."""
    if sms(letter).encoding == "GSM-7":
        return letter
    return _GSM_CAPITAL.get(letter, "?")
