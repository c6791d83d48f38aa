"""SMS gateways on the loopback: what they take, and what each telephone then shows.

```python
with FakeSmsServer() as stand:
    stand.refuse("+33600000002")
    ...                                    # the client, at stand.url (Kannel, JSON) or led there by stand.environment
    assert stand.phone("+33600000001")[0].text == "Route barree"
```

Several gateways stand at one address, told apart by their paths: Kannel's `sendsms`, jasmin's `send` and a JSON call,
whose addresses are in the client's hands, and octopush, infobip, cm, seven and sfr, whose true addresses the client has
built in. These are reached through a proxy; see
[`environment`][policenotify.testing.servers.sms.FakeSmsServer.environment].
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import RLock
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from policenotify.errors import MissingExtra
from policenotify.testing.servers.http import Answer, FakeServer, RecordedRequest
from policenotify.text import sms

if TYPE_CHECKING:
    from policenotify.testing.servers._tls_tunnel import TlsTunnel

_ADDRESS = re.compile(r"(?:\+|00)?([1-9]\d{7,14})")
_NAMED = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{3,11}|3[68]\d{3}")
_MEDIA = {"SMS": ("GSM-7", 1), "SMSLong": ("GSM-7", 8), "SMSUnicode": ("UCS-2", 1), "SMSUnicodeLong": ("UCS-2", 8)}
_JASMIN_FIELDS = frozenset(
    {
        "username",
        "password",
        "to",
        "from",
        "content",
        "coding",
        "priority",
        "sdt",
        "dlr",
        "dlr-url",
        "dlr-level",
        "tags",
    }
)
_DCS = {"0": "GSM-7", "8": "UCS-2"}  # SMPP 3.4, section 5.2.19; what else there is, a telephone shows as octets
_GSM_CAPITAL = {"ç": "Ç"}  # the only cedilla of GSM 03.38


@dataclass(frozen=True, slots=True)
class ReceivedSms:
    """A message as a telephone shows it.

    Attributes:
        to: The telephone's number, in E.164.
        sender: From whom it seems to come.
        text: What is read.
        encoding: How it travelled.
        segments: Of how many segments it was made, each of which is paid for.
        gateway: Which gateway took it.
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
    """Gateways that take messages from one account, on which faults can be laid as on any `FakeServer`.

    Attributes:
        user: Kannel's, jasmin's, sfr's and the JSON call's user.
        password: Its password.
        login: Octopush's login, a mail address.
        key: The key of octopush, infobip and seven.
        token: The product token of cm.
        space: The space of sfr.
        credit: Messages left before octopush wants to be paid (402) and jasmin cannot charge (403); `None`: enough.
        burst: Messages left before jasmin answers that the user's throughput is exceeded (403); `None`: no limit.
    """

    KANNEL = "/cgi-bin/sendsms"
    """Where Kannel takes messages."""
    JASMIN = "/jasmin/send"
    """Where jasmin does; a real one has it at `/send`."""
    JSON = "/send"
    """Where the JSON call does."""

    def __init__(self) -> None:
        super().__init__()
        self.user: str = "desk"
        self.password: str = "s3cret"  # noqa: S105 - the stand's own, and no secret
        self.login: str = "desk@police.example"
        self.key: str = "k3y-of-the-desk"
        self.token: str = "5f1b6c1e-0a0b-4c0d-8e0f-0123456789ab"  # noqa: S105 - the stand's own, and no secret
        self.space: str = "4242"
        self.credit: int | None = None
        self.burst: int | None = None
        self._messages: list[ReceivedSms] = []
        self._refused: set[str] = set()
        self._lock = RLock()
        self._tunnel: TlsTunnel | None = None
        gateways: tuple[tuple[str, Callable[[RecordedRequest], Answer]], ...] = (
            (self.KANNEL, self._kannel),
            (self.JASMIN, self._jasmin),
            (self.JSON, self._json),
            ("/v1/public/sms-campaign/send", self._octopush),
            ("/sms/3/messages", self._infobip),
            ("/v1.0/message", self._cm),
            ("/api/sms", self._seven),
            ("/DmcWS/1.5.8/JsonService/MessagesUnitairesWS/addSingleCall", self._sfr),
        )
        for path, answer in gateways:
            self.on("POST", path, _guarded(answer))
        self.on("GET", self.KANNEL, _guarded(self._kannel))
        self.on("GET", self.JASMIN, _guarded(self._jasmin))

    def close(self) -> None:
        """Stop, cutting every connection at once. May be called twice; the messages stay readable."""
        tunnel, self._tunnel = self._tunnel, None
        if tunnel is not None:
            tunnel.close()
        super().close()

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that lead an unmodified client here, whatever https address it calls.

        The proxy that they name listens from the first use to `close()`.
        """
        if self._tunnel is None:
            try:
                from policenotify.testing.servers._tls_tunnel import TlsTunnel  # noqa: PLC0415 - needs the extra
            except ImportError as error:
                raise MissingExtra("FakeSmsServer.environment", "testing") from error
            self._tunnel = TlsTunnel(lambda: urlsplit(self.url).port or 0)
        return self._tunnel.environment

    @property
    def messages(self) -> tuple[ReceivedSms, ...]:
        """Every message taken so far, in order."""
        with self._lock:
            return tuple(self._messages)

    def phone(self, number: str) -> tuple[ReceivedSms, ...]:
        """What one telephone shows; its number in E.164."""
        return tuple(message for message in self.messages if message.to == number)

    def refuse(self, number: str) -> None:
        """Take nothing for this number, until `recover()`: each gateway says so in its own way."""
        with self._lock:
            self._refused.add(number)

    def refuse_connections(self) -> None:
        """Let nobody in, by whatever way, until `recover()`."""
        if self._tunnel is not None:
            self._tunnel.refuse()
        super().refuse_connections()

    def recover(self) -> None:
        """End every fault and refusal."""
        with self._lock:
            self._refused.clear()
        super().recover()
        if self._tunnel is not None:
            self._tunnel.accept()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The passwords, keys and tokens: none of them may be seen anywhere."""
        return self.password, self.key, self.token, self.space

    def _take(self, gateway: str, number: str, text: str, *, sender: str, encoding: str = "") -> ReceivedSms:
        """Take a message, as a gateway does that chooses the encoding by itself.

        Raises:
            _No: The number is none, or refused, or there is nothing to say.
        """
        found = _ADDRESS.fullmatch(number)
        to = f"+{found[1]}" if found else ""
        if not to or to in self._refused or not text:
            raise _No
        counted = sms(text)
        seen = ReceivedSms(to, sender, text, counted.encoding, counted.segments, gateway)
        if encoding == "UCS-2" and counted.encoding == "GSM-7":
            units = len(text.encode("utf-16-be")) // 2
            seen = replace(seen, encoding="UCS-2", segments=1 if units <= 70 else -(-units // 67))  # noqa: PLR2004 - 3GPP TS 23.038
        elif encoding == "8-bit":
            octets = len(text)  # each is shown as a letter
            seen = replace(seen, encoding="8-bit", segments=1 if octets <= 140 else -(-octets // 134))  # noqa: PLR2004 - 3GPP TS 23.038
        with self._lock:
            self._messages.append(seen)
        return seen

    def _kannel(self, seen: RecordedRequest) -> Answer:
        """The `sendsms` of Kannel 1.4.5 (user guide, chapter 6)."""
        asked = seen.query if seen.method == "GET" else seen.form()
        given = {name: values[0] for name, values in asked.items()}
        if (given.get("username"), given.get("password")) != (self.user, self.password):
            return Answer(403, b"Authorization failed for sendsms")
        text, ucs2 = given.get("text", ""), given.get("coding", "0") == "2"
        if not ucs2:  # without a word
            text = "".join(_gsm(letter) for letter in text)
        try:
            self._take(
                "kannel",
                given.get("to", ""),
                text,
                sender=given.get("from", ""),
                encoding="UCS-2" if ucs2 else "GSM-7",
            )
        except _No:
            return Answer(400, b"Number(s) has/have been denied by white- and/or black-lists.")
        return Answer(202, b"0: Accepted for delivery")

    def _jasmin(self, seen: RecordedRequest) -> Answer:
        """The HTTP API of jasmin 0.11.1: one status for a wrong password, a limit and an empty account."""
        asked = seen.query if seen.method == "GET" else seen.form()
        given = {name: values[0] for name, values in asked.items()}
        if unknown := sorted(given.keys() - _JASMIN_FIELDS):
            return _jasmin_no(400, f"Argument [{unknown[0]}] is unknown.")
        if (given.get("username"), given.get("password")) != (self.user, self.password):
            return _jasmin_no(403, f"Authentication failure for username:{given.get('username')}")
        if self.burst == 0:
            return _jasmin_no(403, "User throughput exceeded")
        if self.credit == 0:
            return _jasmin_no(403, "Cannot charge submit_sm, check RouterPB log file for details")
        text, coding = given.get("content", ""), given.get("coding", "0")
        shown = {"0": "".join(map(_gsm, text)), "8": text}.get(coding, text.encode().decode("latin-1"))
        try:
            self._take(
                "jasmin", given.get("to", ""), shown, sender=given.get("from", ""), encoding=_DCS.get(coding, "8-bit")
            )
        except _No:
            return _jasmin_no(412, "No route found")
        self.burst = None if self.burst is None else self.burst - 1
        self.credit = None if self.credit is None else self.credit - 1
        return Answer(200, b'Success "07033084-5cfd-4812-90a4-e4d24ffb6e3d"')

    def _json(self, seen: RecordedRequest) -> Answer:
        """A call as gateways without a plugin have it: JSON, and a login in the head (RFC 7617)."""
        login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if seen.headers["Authorization"] != f"Basic {login}":
            return Answer.json({"error": "unauthorized"}, 401)
        asked = seen.json()
        try:
            self._take("json", asked["to"], asked["message"], sender=asked.get("from", ""))
        except _No:
            return Answer.json({"error": "invalid recipient"}, 400)
        return Answer.json({"status": "queued"})

    def _octopush(self, seen: RecordedRequest) -> Answer:
        if (seen.headers["api-login"], seen.headers["api-key"]) != (self.login, self.key):
            return Answer.json({"code": 101, "message": "Wrong credentials."}, 401)
        if self.credit == 0:
            return Answer.json({"code": 102, "message": "Not enough credits."}, 402)
        asked = seen.json()
        (recipient,) = asked["recipients"]
        number = recipient["phone_number"]
        if not number.startswith("+") or not _NAMED.fullmatch(asked["sender"]):
            return Answer.json({"code": 151, "message": "Invalid request."}, 422)
        try:
            taken = self._take("octopush", number, asked["text"], sender=asked["sender"])
        except _No:
            return Answer.json({"code": 122, "message": "Invalid recipients."}, 400)
        if self.credit is not None:
            self.credit -= 1
        ticket = {"sms_ticket": "sms_1", "number_of_contacts": 1, "number_of_sms_needed": taken.segments}
        return Answer.json(ticket, 201)

    def _infobip(self, seen: RecordedRequest) -> Answer:
        if seen.headers["Authorization"] != f"App {self.key}":
            why = {"messageId": "UNAUTHORIZED", "text": "Invalid login details"}
            return Answer.json({"requestError": {"serviceException": why}}, 401)
        (message,) = seen.json()["messages"]
        number = message["destinations"][0]["to"]
        status: dict[str, object] = {"groupId": 1, "groupName": "PENDING", "id": 26, "name": "PENDING_ACCEPTED"}
        try:
            self._take("infobip", number, message["content"]["text"], sender=message.get("sender", ""))
        except _No:
            status = {"groupId": 5, "groupName": "REJECTED", "id": 52, "name": "REJECTED_DESTINATION"}
        status["description"] = f"About {number}"
        told = {"messageId": "1", "destination": number, "status": status}
        return Answer.json({"bulkId": "1", "messages": [told]})

    def _cm(self, seen: RecordedRequest) -> Answer:
        if seen.headers["X-CM-PRODUCTTOKEN"] != self.token:
            return Answer.json({"details": "Authentication failed", "errorCode": 101, "messages": []}, 401)
        (message,) = seen.json()["messages"]["msg"]
        number = message["to"][0]["number"]
        told = {"to": number, "status": "Accepted", "messageErrorCode": 0, "messageDetails": None}
        try:
            self._take("cm", number, message["body"]["content"], sender=message["from"])
        except _No:
            told |= {
                "status": "Rejected",
                "messageErrorCode": 303,
                "messageDetails": f"Gsm '{number}' is not a number.",
            }
        code = 0 if told["status"] == "Accepted" else 201
        return Answer.json({"details": "Created 1 message(s)", "errorCode": code, "messages": [told]})

    def _seven(self, seen: RecordedRequest) -> Answer:
        """Says no with a success (docs.seven.io, "Status codes": 900, 202)."""
        asked = seen.json()
        if seen.headers["X-Api-Key"] != self.key:
            return Answer.json({"success": "900"})
        try:
            self._take("seven", asked["to"], asked["text"], sender=asked.get("from", ""))
        except _No:
            return Answer.json({"success": "202", "messages": []})
        return Answer.json({"success": "100", "messages": [{"success": True}]})

    def _sfr(self, seen: RecordedRequest) -> Answer:
        """Says no with a success, too, but in a field that is read; takes what `media` has room for."""
        login, asked = (json.loads(seen.query[name][0]) for name in ("authenticate", "messageUnitaire"))
        if (login["serviceId"], login["servicePassword"], login["spaceId"]) != (self.user, self.password, self.space):
            return _sfr_no("AUTHENTICATION")
        encoding, most = _MEDIA[asked["media"]]
        counted = sms(asked["textMsg"])
        if counted.segments > most or (encoding == "GSM-7" and counted.encoding != encoding):
            return _sfr_no("MESSAGE_TOO_LONG")
        try:
            self._take("sfr", asked["to"], asked["textMsg"], sender=asked["from"], encoding=encoding)
        except _No:
            return _sfr_no("BAD_NUMBER")
        return Answer.json({"success": True, "response": 1, "errorCode": None, "fatal": False})


class _No(Exception):
    """The message is not taken."""


def _guarded(answer: Callable[[RecordedRequest], Answer]) -> Callable[[RecordedRequest], Answer]:
    """Answer what no gateway understands with a 400, and not as if the stand were broken."""

    def answered(seen: RecordedRequest) -> Answer:
        try:
            return answer(seen)
        except (ValueError, LookupError, TypeError, AttributeError):
            return Answer.json({"error": "bad request"}, 400)

    return answered


def _jasmin_no(status: int, why: str) -> Answer:
    return Answer(status, f'Error "{why}"'.encode())


def _sfr_no(code: str) -> Answer:
    return Answer.json({"success": False, "errorCode": code, "fatal": True})


def _gsm(letter: str) -> str:
    """What Kannel makes of a letter at `coding=0`: what the alphabet has not becomes a question mark."""
    if sms(letter).encoding == "GSM-7":
        return letter
    return _GSM_CAPITAL.get(letter, "?")
