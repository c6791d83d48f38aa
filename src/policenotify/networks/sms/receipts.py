"""Delivery receipts of SMS gateways: what became of a message after the gateway had accepted it.

A receipt is a call of the gateway to one of our web addresses. Each gateway has fields and states of its own. Nothing
in a receipt proves who sent it, so its address must hold a secret for each person. Nothing here reaches a network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl

MAX_RECEIPT: Final = 65_536
"""The longest body that is read, in bytes. Receipts have a few hundred."""

_MAX_FIELDS: Final = 100
_SAFE: Final = re.compile(r"[\w.:/-]{1,64}")  # codes that may be stored and shown
_NUMBER: Final = re.compile(r"\+?\d{5,15}")  # ITU-T E.164, section 6


class ReceiptStatus(StrEnum):
    """What became of a message."""

    DELIVERED = "delivered"
    """The telephone, or in some countries only its operator, has it."""
    GONE = "gone"
    """It is not delivered: the number does not exist, cannot get SMS, or its owner wants none."""
    FAILED = "failed"
    """It is not delivered, for another reason that will not change: its content, its sender, the operator."""
    UNREACHED = "unreached"
    """It is not delivered: the telephone was off, full or abroad for too long. The next message may arrive."""
    PENDING = "pending"
    """It is on its way, and another receipt follows."""
    UNKNOWN = "unknown"
    """The gateway does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReceipt:
    """A receipt as it was read.

    Attributes:
        status: What became of the message.
        code: The gateway's own word or number for it, such as `UNDELIV` or `30005`. May be empty.
    """

    status: ReceiptStatus
    code: str = ""


class UnreadableReceipt(ValueError):
    """A call that is not a receipt of this gateway. The text repeats nothing of the call."""


def request_fields(gateway: str, address: str) -> tuple[tuple[str, str], ...]:
    """Return the fields of a message's request that ask for its receipts.

    Args:
        gateway: One of `GATEWAYS`.
        address: The address that the gateway shall call.
    """
    return tuple((name, value.replace(_ADDRESS, address)) for name, value in _REQUESTS[gateway])


def read_receipt(gateway: str, content_type: str, body: bytes, query: str) -> DeliveryReceipt:
    """Read a call of a gateway.

    Args:
        gateway: The gateway's name, one of `GATEWAYS`.
        content_type: The call's `Content-Type`. May be empty.
        body: The call's body.
        query: The query of the called address, without `?`.

    Raises:
        UnreadableReceipt: It is not a receipt of this gateway, is too long, or holds several receipts.
    """
    reader = _READERS.get(gateway)
    if reader is None:
        raise UnreadableReceipt("The receipts of this gateway cannot be read.")
    if len(body) > MAX_RECEIPT or len(query) > MAX_RECEIPT:
        raise UnreadableReceipt("The call is too long for a receipt.")
    return reader(_Fields(_form(query) | _content(content_type, body)))


def _form(text: str) -> dict[str, object]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError:
        raise UnreadableReceipt("The call has too many fields for a receipt.") from None


def _content(content_type: str, body: bytes) -> dict[str, object]:
    text = body.decode("utf-8", "replace")
    if content_type.partition(";")[0].strip().lower().endswith("json"):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            raise UnreadableReceipt("The call's body is not JSON.") from None
        if not isinstance(value, dict):
            raise UnreadableReceipt("The call's body is not a receipt.")
        return value
    return _form(text)


class _Fields:
    """The fields of a call, of any type."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        value = self._values.get(name)
        return str(value).strip() if isinstance(value, str | int) else ""

    def code(self, name: str) -> str:
        """Return a field if it has the form of a code, and cannot be a telephone number."""
        value = self.text(name)
        return value if _SAFE.fullmatch(value) and not _NUMBER.fullmatch(value) else ""


_D, _G, _F, _U, _P, _X = (
    ReceiptStatus.DELIVERED,
    ReceiptStatus.GONE,
    ReceiptStatus.FAILED,
    ReceiptStatus.UNREACHED,
    ReceiptStatus.PENDING,
    ReceiptStatus.UNKNOWN,
)

# SMPP 3.4, appendix B: `stat` of a receipt, as operators send it.
_STAT: Final[Mapping[str, ReceiptStatus]] = {
    "DELIVRD": _D, "EXPIRED": _U, "DELETED": _F, "UNDELIV": _F, "ACCEPTD": _P, "UNKNOWN": _X, "REJECTD": _F,
    "ENROUTE": _P,
}  # fmt: skip
_NO_SUCH_NUMBER: Final = "ESME_RINVDSTADR"  # SMPP 3.4, section 5.1.3: invalid destination address
_NO_SUCH_NUMBER_STATUS: Final = 0x0000000B


def _known(states: Mapping[str, ReceiptStatus], word: str) -> ReceiptStatus:
    status = states.get(word)
    if status is None:
        raise UnreadableReceipt("The call has no state that this gateway is known to report.")
    return status


_KANNEL: Final[Mapping[str, ReceiptStatus]] = {
    "1": _D, "2": _F, "4": _P, "8": _P, "16": _F, "34": _U, "66": _X,
}  # fmt: skip
_KANNEL_STAT: Final = re.compile(r"\bstat:([A-Z]{7})\b")
_KANNEL_NACK: Final = re.compile(r"\bNACK/(0x[0-9a-fA-F]{8})")


def _kannel(call: _Fields) -> DeliveryReceipt:
    """User guide of Kannel 1.4.5, chapters "Delivery Reports" and "Parameter escape codes" (`%d`, `%A`, `%F`).

    34 and 66 are `DLR_EXPIRED` and `DLR_UNKNOWN` (gw/dlr.h). `reply` is the operator's own text, after `NACK/` the
    `command_status` of SMPP.
    """
    status = _known(_KANNEL, call.text("status"))
    reply = call.text("reply")
    stat, nack = _KANNEL_STAT.search(reply), _KANNEL_NACK.search(reply)
    code = stat[1] if stat else nack[1] if nack else ""
    if status is _F and stat:
        status = _STAT.get(code, _F)
    elif status is _F and nack and int(code, 0) == _NO_SUCH_NUMBER_STATUS:
        status = _G
    return DeliveryReceipt(status=status, code=code)


def _jasmin(call: _Fields) -> DeliveryReceipt:
    """docs.jasminsms.com, "HTTP API", "Receiving DLR": at level 1 from the operator, at 2 and 3 from the telephone."""
    word, level = call.code("message_status"), call.text("level")
    if word == "ESME_ROK":
        status = _P if level == "1" else _D
    elif word.startswith("ESME_"):
        status = _G if word == _NO_SUCH_NUMBER else _F
    else:
        status = _known(_STAT, word)
    return DeliveryReceipt(status=status, code=word)


_TWILIO: Final[Mapping[str, ReceiptStatus]] = {
    "accepted": _P, "scheduled": _P, "queued": _P, "sending": _P, "sent": _P, "delivered": _D, "read": _D,
    "undelivered": _F, "failed": _F, "canceled": _F,
}  # fmt: skip
# twilio.com/docs/api/errors: unreachable handset; unknown handset; landline; the person has sent STOP.
_TWILIO_CODES: Final[Mapping[str, ReceiptStatus]] = {"30003": _U, "30005": _G, "30006": _G, "21610": _G}


def _twilio(call: _Fields) -> DeliveryReceipt:
    """twilio.com/docs/messaging/guides/track-outbound-message-status."""
    word, code = call.text("MessageStatus").lower(), call.text("ErrorCode")
    status = _known(_TWILIO, word)
    if status is _F:
        status = _TWILIO_CODES.get(code, _F)
    code = code if re.fullmatch(r"\d{5}", code) else word
    return DeliveryReceipt(status=status, code=code)


_VONAGE: Final[Mapping[str, ReceiptStatus]] = {
    "accepted": _P, "buffered": _P, "delivered": _D, "expired": _U, "failed": _F, "rejected": _F, "unknown": _X,
}  # fmt: skip
# api.support.vonage.com, "SMS Delivery Error Codes": absent for now, absent for good, barred by the user, handset busy,
# network error, the user has opted out.
_VONAGE_CODES: Final[Mapping[str, ReceiptStatus]] = {"2": _U, "3": _G, "4": _G, "7": _U, "8": _U, "9": _G}


def _vonage(call: _Fields) -> DeliveryReceipt:
    """developer.vonage.com/messaging/sms, "Delivery receipts"."""
    word, code = call.text("status").lower(), call.text("err-code")
    status = _known(_VONAGE, word)
    if status in {_F, _X}:
        status = _VONAGE_CODES.get(code, status)
    code = code if re.fullmatch(r"\d{1,3}", code) and code != "0" else word
    return DeliveryReceipt(status=status, code=code)


_ELKS: Final[Mapping[str, ReceiptStatus]] = {"sent": _P, "delivered": _D, "failed": _F}


def _elks(call: _Fields) -> DeliveryReceipt:
    """46elks.se/docs/sms-delivery-reports."""
    word = call.text("status")
    return DeliveryReceipt(status=_known(_ELKS, word), code=word)


# Not found, expired, sent, delivered, undelivered, failed, rejected, unknown, queued, accepted.
_SMSAPI: Final[Mapping[str, ReceiptStatus]] = {
    "401": _X, "402": _U, "403": _P, "404": _D, "405": _F, "406": _F, "407": _F, "408": _X, "409": _P, "410": _P,
}  # fmt: skip


def _smsapi(call: _Fields) -> DeliveryReceipt:
    """SMSAPI, "Callback reports". Up to five come in one call, separated by commas, if they have one address."""
    code = call.text("status")
    return DeliveryReceipt(status=_known(_SMSAPI, code), code=code)


_READERS: Final[Mapping[str, Callable[[_Fields], DeliveryReceipt]]] = {
    "46elks": _elks,
    "jasmin": _jasmin,
    "kannel": _kannel,
    "smsapi": _smsapi,
    "twilio": _twilio,
    "vonage": _vonage,
}

GATEWAYS: Final = tuple(_READERS)
"""Names of the gateways that take the address of receipts with each message, and whose receipts are read."""

# Final states only. Kannel replaces the escape codes, and encodes what it puts in their place.
_ADDRESS: Final = "{address}"
_REQUESTS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "46elks": (("whendelivered", _ADDRESS),),
    "jasmin": (("dlr", "yes"), ("dlr-level", "2"), ("dlr-method", "POST"), ("dlr-url", _ADDRESS)),
    "kannel": (("dlr-mask", "19"), ("dlr-url", f"{_ADDRESS}?status=%d&id=%F&reply=%A")),  # 1 + 2 + 16: see _kannel
    "smsapi": (("notify_url", _ADDRESS),),
    "twilio": (("StatusCallback", _ADDRESS),),
    "vonage": (("callback", _ADDRESS),),
}

CONFIRMATIONS: Final[Mapping[str, str]] = {"jasmin": "ACK/Jasmin", "smsapi": "OK"}
"""The body that a gateway takes for a confirmation. It calls again without it. Others look at the status only."""
