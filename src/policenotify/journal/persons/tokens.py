"""Signed names of a person and a delivery: in links to leave, in envelope senders, in receipts.

A token holds the version of the keys, the number of the delivery, the recipient's key, and a code over them and the
purpose. No address is looked up, and no secret is stored. In base32 (RFC 4648) in lower case, it is short
enough for the local part of an address (64 octets, RFC 5321, section 4.5.3.1.1), which some servers write in capitals.
"""

from __future__ import annotations

import hmac
from base64 import b32decode, b32encode
from binascii import Error
from dataclasses import dataclass
from typing import Final

from policenotify.channel import TokenPurpose
from policenotify.journal.keys import Keys

PERSON_DIGITS: Final = 32
"""Hexadecimal digits of a recipient's key: 128 bits, which no two of a billion people share."""

LONGEST: Final = 80
"""Characters of a text that may be a token."""

_PERSON = PERSON_DIGITS // 2
_BLOCK = 8  # characters of base32 that stand for whole bytes
_MORE = 0x80  # of a number in groups of seven bits (LEB128): another group follows


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
    named = _number(keys.version) + _number(delivery) + bytes.fromhex(recipient)
    whole = named + keys.short_mac(keys.version, _purpose(purpose), named.hex())
    return b32encode(whole).decode().rstrip("=").lower()


def read_token(keys: Keys, purpose: TokenPurpose, text: str) -> PersonToken | None:
    """Return what a token names, or `None` if these keys did not make it for this purpose."""
    capitals = text.upper()
    if len(text) > LONGEST or not text.isascii():
        return None
    try:
        whole = b32decode(capitals + "=" * (-len(capitals) % _BLOCK))
        version, at = _read_number(whole, 0)
        delivery, at = _read_number(whole, at)
    except (Error, IndexError):
        return None
    end = at + _PERSON
    expected = keys.short_mac(version, _purpose(purpose), whole[:end].hex())
    if not hmac.compare_digest(expected, whole[end:]) or not expected:
        return None
    return PersonToken(delivery, whole[at:end].hex())


def _purpose(purpose: TokenPurpose) -> str:
    return f"person {purpose}"


def _number(value: int) -> bytes:
    groups = bytearray()
    while value >= _MORE:
        groups.append(value % _MORE | _MORE)
        value //= _MORE
    return bytes((*groups, value))


def _read_number(source: bytes, at: int) -> tuple[int, int]:
    """Return a number and where it ends. A forged one is as long as the token at most."""
    value, shift = 0, 0
    while source[at] >= _MORE:
        value, shift, at = value + (source[at] % _MORE << shift), shift + 7, at + 1
    return value + (source[at] << shift), at + 1
