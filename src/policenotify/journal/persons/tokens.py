"""Signed names of a person and a delivery: in links to leave, in envelope senders, in receipts.

A token holds the version of the keys, the number of the delivery, the recipient's key, and a code over them and the
purpose. No address is looked up, and no secret is stored. In base32 (RFC 4648) in lower case, it is short
enough for the local part of an address (64 octets, RFC 5321, section 4.5.3.1.1), which some servers write in capitals.
"""

from __future__ import annotations

import hmac
import struct
from base64 import b32decode, b32encode
from binascii import Error
from dataclasses import dataclass
from typing import Final

from policenotify.channel import TokenPurpose
from policenotify.journal.keys import SHORT_MAC_BYTES, Keys

PERSON_DIGITS: Final = 32
"""Hexadecimal digits of a recipient's key: 128 bits, which no two of a billion people share."""

_FORM: Final = struct.Struct(f">HI{PERSON_DIGITS // 2}s{SHORT_MAC_BYTES}s")
_LENGTH: Final = 52  # characters of the base32 of these bytes
_NAMED: Final = _FORM.size - SHORT_MAC_BYTES  # bytes that the code is over


@dataclass(frozen=True, slots=True)
class PersonToken:
    """What a token names.

    Attributes:
        delivery: The number of the delivery.
        person: The recipient's key.
    """

    delivery: int
    person: str


def make_token(keys: Keys, purpose: TokenPurpose, *, delivery: int, recipient: str) -> str:
    """Return the token of a recipient of a delivery for one purpose."""
    named = _FORM.pack(keys.version, delivery, bytes.fromhex(recipient), b"")[:_NAMED]
    whole = named + keys.short_mac(keys.version, _purpose(purpose), named.hex())
    return b32encode(whole).decode().rstrip("=").lower()


def read_token(keys: Keys, purpose: TokenPurpose, text: str) -> PersonToken | None:
    """Return what a token names, or `None` if these keys did not make it for this purpose."""
    if len(text) != _LENGTH or not text.isascii():
        return None
    try:
        whole = b32decode(text.upper() + "====")
    except Error:
        return None
    version, delivery, person, code = _FORM.unpack(whole)
    expected = keys.short_mac(version, _purpose(purpose), whole[:_NAMED].hex())
    if not hmac.compare_digest(expected, code) or not expected:
        return None
    return PersonToken(delivery, person.hex())


def _purpose(purpose: TokenPurpose) -> str:
    return f"person {purpose}"
