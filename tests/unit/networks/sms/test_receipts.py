"""Receipts in the forms that the gateways document."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any, get_args
from unittest.mock import ANY
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from policenotify.channel import Recipient
from policenotify.errors import SettingsError
from policenotify.networks.sms.channel import Sms
from policenotify.networks.sms.receipts import (
    MAX_RECEIPT,
    GatewayName,
    UnreadableReceipt,
    read_receipt,
)
from policenotify.testing.fakes import FakeClock
from policenotify.testing.servers.sms import FakeSmsServer
from tests.support.channels import open_channel
from tests.support.network_calls import a_post

NUMBER = "33639980001"
DLR = "id:{id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:{stat} err:000 text:"


TWILIO = {"MessageSid": "SM00000000000000000000000000000001", "To": f"+{NUMBER}", "From": "38123"}
VONAGE = {
    "msisdn": NUMBER,
    "to": "POLICE34",
    "messageId": "0A0000001234567B",
    "price": "0.03330000",
    "scts": "2001011400",
}


def jasmin(status: str, level: int = 2) -> dict[str, Any]:
    call = {"id": "16fd2706-8baf-433b-82eb-8c7fada847da", "message_status": status, "level": str(level)}
    return call if level == 1 else call | {"id_smsc": "2567", "err": "000", "text": "Route barree, evitez"}


D, G, U = "delivered", "gone", "soft"
F = P = X = None  # nothing follows from it for the person
QUERIES: list[tuple[GatewayName, dict[str, Any], str | None, str]] = [
    ("kannel", {"status": "8", "reply": "ACK/00000001", "id": "00000001"}, P, "8"),
    ("kannel", {"status": "1", "reply": DLR.format(id="00000001", stat="DELIVRD"), "id": "00000001"}, D, "DELIVRD"),
    ("kannel", {"status": "2", "reply": DLR.format(id="2", stat="EXPIRED")}, U, "EXPIRED"),
    ("kannel", {"status": "2"}, F, "2"),
    ("kannel", {"status": "16", "reply": "NACK/0x0000000b/Invalid Destination Address"}, G, "0x0000000b"),
    ("kannel", {"status": "16", "reply": "NACK/0x00000058/Throttling error"}, F, "0x00000058"),
    ("kannel", {"status": "4"}, P, "4"),
    ("kannel", {"status": "66"}, X, "66"),
    ("jasmin", jasmin("ESME_ROK", 1), P, "ESME_ROK"),
    ("jasmin", jasmin("ESME_RINVDSTADR", 1), G, "ESME_RINVDSTADR"),
    ("jasmin", jasmin("ESME_ROK"), D, "ESME_ROK"),
    ("jasmin", jasmin("DELIVRD"), D, "DELIVRD"),
    ("twilio", TWILIO | {"MessageStatus": "sent"}, P, "sent"),
    ("twilio", TWILIO | {"MessageStatus": "delivered"}, D, "delivered"),
    ("twilio", TWILIO | {"MessageStatus": "undelivered", "ErrorCode": "30005"}, G, "30005"),
    ("twilio", TWILIO | {"MessageStatus": "failed", "ErrorCode": "21610"}, G, "21610"),
    ("vonage", VONAGE | {"status": "delivered", "err-code": "0"}, D, "delivered"),
    ("vonage", VONAGE | {"status": "expired", "err-code": "1"}, U, "1"),
    ("vonage", VONAGE | {"status": "failed", "err-code": "3"}, G, "3"),
    ("vonage", VONAGE | {"status": "unknown", "err-code": "1"}, X, "1"),
    ("46elks", {"id": "s17a6dafb12d6b1cabc053d57dac2b9d8", "status": "delivered"}, D, "delivered"),
    ("smsapi", {"MsgId": "5F8DA0AE3139A0", "status": "404", "to": NUMBER, "donedate": "1604488305"}, D, "404"),
    ("smsapi", {"MsgId": "5F8DA0AE3139A0", "status": "402", "to": NUMBER}, U, "402"),
]  # fmt: skip


@pytest.mark.parametrize(("gateway", "call", "status", "code"), QUERIES)
def test_a_form_is_read_from_the_address_and_from_the_body(
    gateway: GatewayName, call: dict[str, Any], status: str | None, code: str
) -> None:
    form = urlencode(call)
    by_address = read_receipt(gateway, b"", form)
    assert by_address == read_receipt(gateway, form.encode(), "")
    assert (by_address.kind, by_address.code) == (status, code)


def test_a_document_is_read_from_the_body() -> None:
    call = VONAGE | {"status": "delivered", "err-code": "0"}
    got = read_receipt("vonage", json.dumps(call).encode(), "")
    assert (got.kind, got.code) == (D, "delivered")


@pytest.mark.parametrize(
    ("gateway", "body", "query"),
    [
        ("kannel", b"", "status=%d"),
        ("smsapi", b"", "MsgId=a,b&status=404,405"),
        ("vonage", b"[" * 60_000, ""),
        ("vonage", b"[]", ""),
        ("vonage", b"{", ""),
        ("kannel", b"x" * (MAX_RECEIPT + 1), ""),
        ("jasmin", "&".join(f"a{number}=" for number in range(101)).encode(), ""),
    ],
)  # fmt: skip
def test_what_is_no_receipt_is_refused_without_repeating_it(gateway: GatewayName, body: bytes, query: str) -> None:
    with pytest.raises(UnreadableReceipt) as caught:
        read_receipt(gateway, body, query)
    assert not re.search(r"\d|=|%", str(caught.value))


def test_a_code_never_carries_a_telephone_number_or_markup() -> None:
    for word in (NUMBER, "<b>"):
        call = {"id": "1", "message_status": word, "level": "2"}
        with pytest.raises(UnreadableReceipt):
            read_receipt("jasmin", b"", urlencode(call))


@pytest.mark.parametrize(("gateway", "answer"), [("jasmin", "ACK/Jasmin"), ("smsapi", "OK"), ("kannel", "ok")])
def test_a_gateway_gets_the_answer_without_which_it_calls_again(gateway: str, answer: str) -> None:
    with FakeSmsServer() as server:
        by = kannel(server, receipt_url=ADDRESS, receipt_format=gateway)
        query = {"jasmin": "message_status=DELIVRD&level=2", "smsapi": "status=404", "kannel": "status=1"}[gateway]
        assert by.read_receipt(b"", query) == ("delivered", ANY, answer)


@given(st.sampled_from(get_args(GatewayName)), st.binary(max_size=80), st.text(max_size=40))
def test_anything_is_a_receipt_or_is_refused(gateway: GatewayName, body: bytes, query: str) -> None:
    with suppress(UnreadableReceipt):
        assert read_receipt(gateway, body, query).kind in {None, "delivered", "gone", "soft"}


# --- how they are asked for


ADDRESS = "https://alerte.police.example/dlr/sms/{token}"


def signed(purpose: str) -> str:
    return f"t0ken-for-{purpose}"


def kannel(server: FakeSmsServer, **options: Any) -> Sms:
    at = server.url.removeprefix("http://")
    url = f"form://{at}{server.KANNEL}?method=GET&:version=&:title=&:type=&:message=text&:username=desk"
    url += "&:password=s3cret&:coding={coding}&:to={recipient}"
    return open_channel(Sms, url=SecretStr(url), clock=FakeClock(), **options)


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        (
            "kannel",
            {
                "dlr-mask": "19",
                "dlr-url": "https://alerte.police.example/dlr/sms/t0ken-for-receipt?status=%d&id=%F&reply=%A",
            },
        ),
        ("twilio", {"StatusCallback": "https://alerte.police.example/dlr/sms/t0ken-for-receipt"}),
        (
            "jasmin",
            {
                "dlr": "yes",
                "dlr-level": "2",
                "dlr-method": "POST",
                "dlr-url": "https://alerte.police.example/dlr/sms/t0ken-for-receipt",
            },
        ),
    ],
)
def test_each_request_names_the_address_for_its_receipt(form: str, fields: dict[str, str]) -> None:
    with FakeSmsServer() as server:
        by = kannel(server, receipt_url=ADDRESS, receipt_format=form)
        known = Recipient(key="ana", address=f"+{NUMBER}", sign=signed)
        unknown = Recipient(key="bob", address=f"+{NUMBER}")
        for person in (known, unknown):
            assert [each.outcome for each in by.send_to(by.prepare(a_post(), ()), [person])] == ["posted"]
        asked, plain = (request.query for request in server.requests)
        assert {name: asked[name] for name in asked.keys() - plain.keys()} == {
            name: [value] for name, value in fields.items()
        }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"receipt_format": "kannel"}, "give both"),
        ({"receipt_url": ADDRESS, "receipt_format": "octopush"}, "receipt_format"),
        ({"receipt_url": ADDRESS[:-7], "receipt_format": "kannel"}, "with {token} once"),
        ({"receipt_url": f"{ADDRESS}?a=1", "receipt_format": "kannel"}, "without . # and %"),
        ({"receipt_url": ADDRESS.replace("https", "http"), "receipt_format": "kannel"}, "write it with https"),
    ],
)
def test_a_wrong_address_for_receipts_is_refused(options: dict[str, str], said: str) -> None:
    with FakeSmsServer() as server, pytest.raises(SettingsError, match=said):
        kannel(server, **options)


def test_a_plugin_that_passes_no_address_is_told_of() -> None:
    with pytest.raises(SettingsError, match="apprise cannot pass it to octopush"):
        open_channel(
            Sms,
            url=SecretStr("octopush://{sender}:login@police.example/API-KEY/{recipient}"),
            sender="POLICE34",
            receipt_url=ADDRESS,
            receipt_format="kannel",
            clock=FakeClock(),
        )


def test_in_a_network_of_ones_own_receipts_may_come_without_encryption() -> None:
    with FakeSmsServer() as server:
        kannel(server, receipt_url="http://desk.lan/dlr/{token}", receipt_format="kannel", unencrypted=True)
