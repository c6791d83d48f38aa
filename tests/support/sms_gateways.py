"""Fake SMS gateways whose URLs are built into apprise: octopush, infobip, cm, seven and sfr."""

from __future__ import annotations

import json
import re
from typing import Any

from policenotify.testing.servers.http import Answer, RecordedRequest, Refusal
from policenotify.testing.servers.sms import FakeSmsServer, _guarded
from policenotify.text import sms
from tests.support.tls_tunnel import TlsTunnel

_NAMED = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{3,11}|3[68]\d{3}")
_MEDIA = {"SMS": ("GSM-7", 1), "SMSLong": ("GSM-7", 8), "SMSUnicode": ("UCS-2", 1), "SMSUnicodeLong": ("UCS-2", 8)}


class FakeGateways(TlsTunnel, FakeSmsServer):
    """All gateways, with one account each.

    Attributes:
        login: The login of octopush, a mail address.
        key: The key of octopush, infobip and seven.
        token: The product token of cm.
        space: The space of sfr, whose user and password are those of Kannel.
    """

    def __init__(self) -> None:
        super().__init__()
        self.login: str = "desk@police.example"
        self.key: str = "k3y-of-the-desk"
        self.token: str = "5f1b6c1e-0a0b-4c0d-8e0f-0123456789ab"
        self.space: str = "4242"
        for path, answer in (
            ("/v1/public/sms-campaign/send", self._octopush),
            ("/sms/3/messages", self._infobip),
            ("/v1.0/message", self._cm),
            ("/api/sms", self._seven),
            ("/DmcWS/1.5.8/JsonService/MessagesUnitairesWS/addSingleCall", self._sfr),
        ):
            self.on("POST", path, _guarded(answer))

    @property
    def secrets(self) -> tuple[str, ...]:
        """Passwords, keys and tokens, which must appear nowhere."""
        return self.password, self.key, self.token, self.space

    def _octopush(self, request: RecordedRequest) -> Answer:
        if (request.headers["api-login"], request.headers["api-key"]) != (self.login, self.key):
            return Answer.json({"code": 101, "message": "Wrong credentials."}, 401)
        body = request.json()
        (recipient,) = body["recipients"]
        number = recipient["phone_number"]
        if not number.startswith("+") or not _NAMED.fullmatch(body["sender"]):
            return Answer.json({"code": 151, "message": "Invalid request."}, 422)
        rejected = Answer.json({"code": 122, "message": "Invalid recipients."}, 400)
        message = self._accept("octopush", number, body["text"], rejected, sender=body["sender"])
        ticket = {"sms_ticket": "sms_1", "number_of_contacts": 1, "number_of_sms_needed": message.segments}
        return Answer.json(ticket, 201)

    def _infobip(self, request: RecordedRequest) -> Answer:
        if request.headers["Authorization"] != f"App {self.key}":
            error = {"messageId": "UNAUTHORIZED", "text": "Invalid login details"}
            return Answer.json({"requestError": {"serviceException": error}}, 401)
        (message,) = request.json()["messages"]
        number = message["destinations"][0]["to"]

        def answer(group: int, group_name: str, id_: int, name: str) -> Answer:
            status = {"groupId": group, "groupName": group_name, "id": id_, "name": name}
            entry = {"messageId": "1", "destination": number, "status": status | {"description": f"About {number}"}}
            return Answer.json({"bulkId": "1", "messages": [entry]})

        rejected, text = answer(5, "REJECTED", 52, "REJECTED_DESTINATION"), message["content"]["text"]
        self._accept("infobip", number, text, rejected, sender=message.get("sender", ""))
        return answer(1, "PENDING", 26, "PENDING_ACCEPTED")

    def _cm(self, request: RecordedRequest) -> Answer:
        if request.headers["X-CM-PRODUCTTOKEN"] != self.token:
            return Answer.json({"details": "Authentication failed", "errorCode": 101, "messages": []}, 401)
        (message,) = request.json()["messages"]["msg"]
        entries = [self._cm_entry(each["number"], message) for each in message["to"]]
        accepted = sum(not entry["messageErrorCode"] for entry in entries)
        code = 0 if accepted == len(entries) else 201
        return Answer.json({"details": f"Created {accepted} message(s)", "errorCode": code, "messages": entries})

    def _cm_entry(self, number: str, message: dict[str, Any]) -> dict[str, Any]:
        status, code, details = "Accepted", 0, None
        try:
            self._accept("cm", number, message["body"]["content"], Answer(400), sender=message["from"])
        except Refusal:
            status, code, details = "Rejected", 303, f"Gsm '{number}' is not a number."
        return {"to": number, "status": status, "messageErrorCode": code, "messageDetails": details}

    def _seven(self, request: RecordedRequest) -> Answer:
        """Answer seven (docs.seven.io, "Status codes": 900, 202)."""
        body = request.json()
        if request.headers["X-Api-Key"] != self.key:
            return Answer.json({"success": "900"})
        rejected = Answer.json({"success": "202", "messages": []})
        self._accept("seven", body["to"], body["text"], rejected, sender=body.get("from", ""))
        return Answer.json({"success": "100", "messages": [{"success": True}]})

    def _sfr(self, request: RecordedRequest) -> Answer:
        """Answer sfr, which limits the length by `media`."""
        login, body = (json.loads(request.query[name][0]) for name in ("authenticate", "messageUnitaire"))
        if (login["serviceId"], login["servicePassword"], login["spaceId"]) != (self.user, self.password, self.space):
            return _sfr_error("AUTHENTICATION")
        encoding, most = _MEDIA[body["media"]]
        counted = sms(body["textMsg"])
        if counted.segments > most or (encoding == "GSM-7" and counted.encoding != encoding):
            return _sfr_error("MESSAGE_TOO_LONG")
        text, rejected = body["textMsg"], _sfr_error("BAD_NUMBER")
        self._accept("sfr", body["to"], text, rejected, sender=body["from"], ucs2=encoding == "UCS-2")
        return Answer.json({"success": True, "response": 1, "errorCode": None, "fatal": False})


def _sfr_error(code: str) -> Answer:
    return Answer.json({"success": False, "errorCode": code, "fatal": True})
