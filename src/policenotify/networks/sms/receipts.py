"""Delivery receipts of SMS gateways: what became of a message after the gateway had accepted it.

A receipt is a call of the gateway to one of our web addresses. Each gateway has fields and states of its own. Nothing
in a receipt proves who sent it, so its address must hold a secret for each person. Nothing here reaches a network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

from policenotify.channel import ReadReceipt
from policenotify.model.person import Delivered, Reported
from policenotify.networks._http import parse_json
from policenotify.translation import Text

MAX_RECEIPT: Final = 65_536
"""The longest body that is read, in bytes. Receipts have a few hundred."""

_MAX_FIELDS: Final = 100
_ADDRESS: Final = "{address}"
_DELIVERED: Final = "delivered"  # the telephone, or in some countries only its operator, has it
_GONE: Final = "gone"  # the number does not exist, cannot get SMS, or its owner wants none
_UNREACHED: Final = "soft"  # the telephone was off, full or abroad for too long: the next message may arrive
_State = Delivered | Reported | None
"""What a state means; `None`: not final, unknown, or a failure for a reason that is not the person's."""


GatewayName = Literal["kannel", "jasmin", "twilio", "vonage", "46elks", "smsapi"]
"""Gateways that take the address of receipts with each message, and whose receipts are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gateway:
    """How a gateway is asked for receipts, and what they hold.

    Attributes:
        request: Names and values of a message's request. Final states only.
        state: The name of the state.
        states: The states that are known, in lower case, if need be with the detail behind them.
        detail: The name of the reason for a failure.
        form: The form of the reason, whose groups are the code.
        details: What reasons mean.
        confirmation: The body of the answer. Some gateways call again without it.
    """

    request: Mapping[str, str]
    state: str
    states: Mapping[str, _State]
    detail: str = ""
    form: re.Pattern[str] = re.compile(r"(?!)")
    details: Mapping[str, _State] = field(default_factory=dict)
    confirmation: str = "ok"


def _states(*others: str, **known: _State) -> Mapping[str, _State]:
    return dict.fromkeys(others) | known


# SMPP 3.4, appendix B: `stat` of a receipt, as operators send it.
_STAT: Final = _states(
    "deleted", "undeliv", "acceptd", "unknown", "rejectd", "enroute", delivrd=_DELIVERED, expired=_UNREACHED
)

_GATEWAYS: Final[Mapping[GatewayName, _Gateway]] = {
    # 46elks.se/docs/sms-delivery-reports
    "46elks": _Gateway(
        request={"whendelivered": _ADDRESS}, state="status", states=_states("sent", "failed", delivered=_DELIVERED)
    ),
    # docs.jasminsms.com, "HTTP API", "Receiving DLR": at level 1 from the operator, at 2 and 3 from the telephone.
    # ESME_RINVDSTADR: SMPP 3.4, section 5.1.3, invalid destination address.
    "jasmin": _Gateway(
        request={"dlr": "yes", "dlr-level": "2", "dlr-method": "POST", "dlr-url": _ADDRESS},
        state="message_status",
        states={**_STAT, "esme_rok": _DELIVERED, "esme_rok 1": None, "esme_rinvdstadr": _GONE},
        detail="level",
        confirmation="ACK/Jasmin",
    ),
    # User guide of Kannel 1.4.5, "Delivery Reports" and "Parameter escape codes" (`%d`, `%A`, `%F`), which Kannel
    # replaces and encodes. 34 and 66 are `DLR_EXPIRED` and `DLR_UNKNOWN` (gw/dlr.h). `reply` is the operator's own
    # text, after `NACK/` the `command_status` of SMPP. Mask 19: 1 + 2 + 16.
    "kannel": _Gateway(
        request={"dlr-mask": "19", "dlr-url": f"{_ADDRESS}?status=%d&id=%F&reply=%A"},
        state="status",
        states={"1": _DELIVERED, "34": _UNREACHED, **_states("2", "4", "8", "16", "66")},
        detail="reply",
        form=re.compile(r"\bstat:([A-Z]{7})\b|\bNACK/(0x[0-9a-fA-F]{8})"),
        details={"expired": _UNREACHED, "0x0000000b": _GONE},
    ),
    # SMSAPI, "Callback reports": not found, expired, sent, delivered, undelivered, failed, rejected, unknown, queued,
    # accepted. Up to five come in one call, separated by commas, if they have one address.
    "smsapi": _Gateway(
        request={"notify_url": _ADDRESS},
        state="status",
        states={"404": _DELIVERED, "402": _UNREACHED, **_states("401", "403", *map(str, range(405, 411)))},
        confirmation="OK",
    ),
    # twilio.com/docs/messaging/guides/track-outbound-message-status, twilio.com/docs/api/errors: unreachable handset;
    # unknown handset; landline; the person has sent STOP.
    "twilio": _Gateway(
        request={"StatusCallback": _ADDRESS},
        state="MessageStatus",
        states=_states(
            "accepted", "scheduled", "queued", "sending", "sent", "undelivered", "failed", "canceled",
            delivered=_DELIVERED, read=_DELIVERED,
        ),
        detail="ErrorCode",
        form=re.compile(r"\A(\d{5})\Z"),
        details={"30003": _UNREACHED, "30005": _GONE, "30006": _GONE, "21610": _GONE},
    ),
    # developer.vonage.com/messaging/sms, "Delivery receipts"; api.support.vonage.com, "SMS Delivery Error Codes":
    # absent for now, absent for good, barred by the user, handset busy, network error, the user has opted out.
    "vonage": _Gateway(
        request={"callback": _ADDRESS},
        state="status",
        states=_states(
            "accepted", "buffered", "failed", "rejected", "unknown", delivered=_DELIVERED, expired=_UNREACHED
        ),
        detail="err-code",
        form=re.compile(r"\A([1-9]\d{0,2})\Z"),
        details={"2": _UNREACHED, "3": _GONE, "4": _GONE, "7": _UNREACHED, "8": _UNREACHED, "9": _GONE},
    ),
}  # fmt: skip


class UnreadableReceipt(ValueError):
    """A call that is not a receipt of this gateway. The text repeats nothing of the call."""


def request_fields(gateway: GatewayName, address: str) -> tuple[tuple[str, str], ...]:
    """Return the fields of a message's request by which the gateway reports its receipts to an address."""
    return tuple((name, value.replace(_ADDRESS, address)) for name, value in _GATEWAYS[gateway].request.items())


def read_receipt(gateway: GatewayName, body: bytes, query: str) -> ReadReceipt:
    """Read a call of a gateway.

    Its body is a form, or JSON (vonage, as its account is set). The query of the called address has no `?`.

    Raises:
        UnreadableReceipt: It is not a receipt of this gateway, is too long, or holds several receipts.
    """
    known = _GATEWAYS[gateway]
    if len(body) > MAX_RECEIPT or len(query) > MAX_RECEIPT:
        raise UnreadableReceipt(Text("The call is too long for a receipt."))
    document = parse_json(body)
    call = _form(query) | (document if isinstance(document, dict) else _form(body.decode("utf-8", "replace")))
    word, detail = (str(call.get(name, "")).strip() for name in (known.state, known.detail))
    state = next((each for each in (f"{word} {detail}".lower(), word.lower()) if each in known.states), "")
    if not state and not (gateway == "jasmin" and re.fullmatch("ESME_[A-Z_]{1,40}", word)):
        raise UnreadableReceipt(Text("The call has no state that this gateway is known to report."))
    match = known.form.search(detail)
    code = next(filter(None, match.groups())) if match else word
    return ReadReceipt(known.states.get(state) or known.details.get(code.lower()), code, known.confirmation)


def _form(text: str) -> dict[str, Any]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError:
        raise UnreadableReceipt(Text("The call has too many fields for a receipt.")) from None
