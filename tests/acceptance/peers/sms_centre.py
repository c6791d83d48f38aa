"""A short message centre (SMSC, SMPP 3.4) on the loopback that records each byte of a gateway."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from dataclasses import dataclass
from typing import Final

_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)  # 3GPP TS 23.038, section 6.2.1
_EXTENSION: Final = {10: "\f", 20: "^", 40: "{", 41: "}", 47: "\\", 60: "[", 61: "~", 62: "]", 64: "|", 101: "€"}
_ESCAPE: Final = 0x1B
_BINDS: Final = (0x00000001, 0x00000002, 0x00000009)  # SMPP 3.4, section 5.1.2.1, as all that follow
_SUBMIT, _DELIVER, _RESPONSE = 0x00000004, 0x00000005, 0x80000000
_IS_RECEIPT: Final = 0x04  # esm_class of deliver_sm, section 5.2.12
_INVALID_DESTINATION, _INVALID_PASSWORD = 0x0000000B, 0x0000000E
_HAS_HEADER: Final = 0x40  # esm_class, section 5.2.12


@dataclass(frozen=True, slots=True)
class Part:
    """One `submit_sm`.

    Attributes:
        to: The number, bare.
        sender: The source address.
        coding: `data_coding`: 0 the default alphabet, 8 UCS-2.
        header: The user data header, without its length; empty for a message of one part.
        data: The user data after it.
    """

    to: str
    sender: str
    coding: int
    header: bytes
    data: bytes

    @property
    def place(self) -> tuple[int, int, int]:
        """Reference, number of parts, and which one it is (3GPP TS 23.040, section 9.2.3.24.1)."""
        kind, size, *place = self.header or b"\x00\x03\x00\x01\x01"
        if (kind, size) != (0, 3):
            raise ValueError(f"another header: {self.header.hex()}")
        return place[0], place[1], place[2]


@dataclass(frozen=True, slots=True)
class Sms:
    """A message as a telephone puts it together."""

    to: str
    sender: str
    coding: int
    text: str
    parts: tuple[Part, ...]


class Centre:
    """Accept one link from a gateway.

    Numbers that end in 888 are refused as invalid destinations. Of those that end in 777 the telephone gets nothing,
    and a receipt tells so, if one is asked for.
    """

    password = "s3cret"

    def __init__(self, port: int) -> None:
        self._parts: list[Part] = []
        centre = self

        class Link(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                centre.serve(self.request)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", port), Link)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def parts(self) -> list[Part]:
        return list(self._parts)

    @property
    def messages(self) -> list[Sms]:
        """Return the complete messages, in order."""
        waiting: dict[tuple[str, int], list[Part]] = {}
        whole = []
        for part in self.parts:
            reference, total, number = part.place
            got = waiting.setdefault((part.to, reference), [])
            if number != len(got) + 1:
                raise ValueError(f"part {number} comes after {len(got)}")
            got.append(part)
            if len(got) == total:
                data = b"".join(each.data for each in waiting.pop((part.to, reference)))
                text = data.decode("utf-16-be") if part.coding == 8 else _read(data)
                whole.append(Sms(f"+{part.to.lstrip('+')}", part.sender, part.coding, text, tuple(got)))
        return whole

    def serve(self, link: socket.socket) -> None:
        """Answer the gateway until it disconnects."""
        with link.makefile("rb") as said:
            while len(head := said.read(16)) == 16:
                length, command, _, number = struct.unpack(">IIII", head)
                asked = said.read(length - 16)
                status, body = self._answer(command, asked)
                if not command & _RESPONSE:
                    link.sendall(struct.pack(">IIII", 16 + len(body), command | _RESPONSE, status, number) + body)
                if command == _SUBMIT and not status and _wants_receipt(asked):
                    receipt = _receipt(_submitted(asked), body[:-1].decode())
                    link.sendall(struct.pack(">IIII", 16 + len(receipt), _DELIVER, 0, number) + receipt)

    def _answer(self, command: int, body: bytes) -> tuple[int, bytes]:
        if command in _BINDS:
            _, password, _ = body.split(b"\0", 2)
            return (0 if password.decode() == self.password else _INVALID_PASSWORD), b"CENTRE\0"
        if command != _SUBMIT:
            return 0, b""
        part = _submitted(body)
        if part.to.endswith("888"):
            return _INVALID_DESTINATION, b""
        self._parts.append(part)
        return 0, f"{len(self._parts):08x}".encode() + b"\0"


def _wants_receipt(body: bytes) -> bool:
    """Return whether `registered_delivery` asks for a receipt (section 5.2.17)."""
    _, rest = body.split(b"\0", 1)
    _, rest = rest[2:].split(b"\0", 1)
    _, rest = rest[2:].split(b"\0", 1)
    _, _, rest = rest[3:].split(b"\0", 2)
    return bool(rest[0] & 0x01)


def _receipt(part: Part, message: str) -> bytes:
    """Return a `deliver_sm` with a receipt (sections 4.6.1 and 5.2.12, appendix B)."""
    state = "UNDELIV" if part.to.endswith("777") else "DELIVRD"
    text = (
        f"id:{message} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:{state} err:000 text:"
    ).encode()
    ends = b"\x01\x01" + part.to.encode() + b"\0" + b"\x01\x01" + part.sender.encode("latin-1") + b"\0"
    return b"\0" + ends + bytes((_IS_RECEIPT,)) + bytes(8) + bytes((len(text),)) + text


def _submitted(body: bytes) -> Part:
    """Section 4.4.1."""
    _, rest = body.split(b"\0", 1)
    sender, rest = rest[2:].split(b"\0", 1)
    to, rest = rest[2:].split(b"\0", 1)
    flags = rest[0]
    _, _, rest = rest[3:].split(b"\0", 2)
    coding, length = rest[2], rest[4]
    data = rest[5 : 5 + length]
    header = b""
    if flags & _HAS_HEADER:
        header, data = data[1 : 1 + data[0]], data[1 + data[0] :]
    return Part(to.decode(), sender.decode("latin-1"), coding, header, data)


def _read(data: bytes) -> str:
    numbers = iter(data)
    return "".join(_EXTENSION[next(numbers)] if number == _ESCAPE else _BASIC[number] for number in numbers)
