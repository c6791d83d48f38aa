"""Signatures of calls, as the specification *Standard Webhooks* 1.0 writes them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from policenotify.errors import SettingsError
from policenotify.translation import Text

_PREFIX: Final = "whsec_"
_SHORTEST, _LONGEST = 24, 64  # bytes of a secret (Standard Webhooks, "Signature scheme")


def read_secret(secret: str) -> bytes:
    """Return the key of a secret.

    Args:
        secret: `whsec_` and a key in Base64.

    Raises:
        SettingsError: It has another form, or another length.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if not secret.startswith(_PREFIX) or not _SHORTEST <= len(key) <= _LONGEST:
        raise SettingsError(
            Text('must be whsec_ and 24 to 64 bytes in Base64. Make one: echo "whsec_$(openssl rand -base64 32)"')
        ) from None
    return key


def signed_headers(keys: Sequence[bytes], name: str, at: datetime, body: bytes) -> Mapping[str, str]:
    """Return the headers that prove the sender of a call.

    Args:
        keys: One signature is made by each.
        name: The call's id, which stays the same when the call is repeated.
        at: The time of this attempt.
        body: The body.
    """
    stamp = str(int(at.timestamp()))
    content = b".".join((name.encode(), stamp.encode(), body))
    signatures = (base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys)
    return {
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
