"""Signed names of a person and a delivery: in links to leave, in envelope senders, in receipts.

A token holds the number of the delivery, the recipient's key, and a code over them and the purpose. No address is
looked up, and no secret is stored. In base32 (RFC 4648) in lower case, it is short enough for the local part of an
address (64 octets, RFC 5321, section 4.5.3.1.1), which some servers write in capitals.
"""

from __future__ import annotations

import hmac
import struct
from base64 import b32decode, b32encode
from binascii import Error
from typing import Final, NamedTuple

from policenotify.channel import TokenPurpose
from policenotify.journal.keys import Keys

PERSON_DIGITS: Final = 32
"""Hexadecimal digits of a recipient's key: 128 bits, which no two of a billion people share."""

_NAMED: Final = struct.Struct(">I16s")  # the delivery and the person
_CODE_BYTES: Final = 10  # 80 bits, where a guess costs a request (NIST SP 800-107, section 5.3.3, asks for 32)
_LENGTH: Final = 48  # characters of the base32 of both


class PersonToken(NamedTuple):
    """What a token names: the number of a delivery, and a recipient's key."""

    delivery: int
    person: str


def make_token(keys: Keys, purpose: TokenPurpose, *, delivery: int, recipient: str) -> str:
    """Return the token of a recipient of a delivery for one purpose."""
    named = _NAMED.pack(delivery, bytes.fromhex(recipient))
    return b32encode(named + _code(keys, purpose, named)).decode().lower()


def read_token(keys: Keys, purpose: TokenPurpose, text: str) -> PersonToken | None:
    """Return what a token names, or `None` if these keys did not make it for this purpose."""
    if len(text) != _LENGTH or not text.isascii():
        return None
    try:
        whole = b32decode(text.upper())
    except Error:
        return None
    named, code = whole[: _NAMED.size], whole[_NAMED.size :]
    if not hmac.compare_digest(_code(keys, purpose, named), code):
        return None
    delivery, person = _NAMED.unpack(named)
    return PersonToken(delivery, person.hex())


def _code(keys: Keys, purpose: TokenPurpose, named: bytes) -> bytes:
    return bytes.fromhex(keys.tag(f"person {purpose}", named.hex()))[:_CODE_BYTES]
