"""The options of a network: their base class, and types that several networks share.

A network is a class, and its nested class `Options` has one field for each option. Type, bounds, default and the text
below the field are all that settings, errors, `policenotify networks` and the reference know of the option.

A validator raises [`SettingsError`][policenotify.errors.SettingsError] with a text that repeats no secret. One that
compares options begins with the option to change: `receipt_url: give both or neither`.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from policenotify.errors import SettingsError
from policenotify.translation import Text
from policenotify.transport import is_secure_url

__all__ = ["CallSeconds", "ChannelOptions", "Handle", "PublicUrl", "Secret", "SecretUrl", "SecureUrl"]


class ChannelOptions(BaseModel):
    """Base class of the options of a network."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, protected_namespaces=(), use_attribute_docstrings=True
    )


def _secret(value: SecretStr) -> SecretStr:
    if not value.get_secret_value():
        raise SettingsError(Text("must not be empty"))
    if not re.fullmatch(r"[!-~]+", value.get_secret_value()):
        raise SettingsError(Text("must be the secret alone, without spaces or line breaks"))
    return value


def _secure_url(value: str) -> str:
    if not is_secure_url(value) or not value.isprintable() or set(" #") & set(value):
        raise SettingsError(Text("must be https://…, without user and password: secrets are sent there"))
    return value.rstrip("/")


def _secret_url(value: SecretStr) -> SecretStr:
    url = value.get_secret_value()
    _secure_url(url if url.isascii() else "")
    return value


def _public_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in {"https", "http"} or parts.username or parts.query or parts.fragment:
        raise SettingsError(Text("must be an address such as https://alertes.police.example/"))
    return value


CallSeconds = Annotated[float, Field(gt=0, le=30)]
"""Seconds for a call. Connecting and answering take them twice, which is half of a delivery's lease of two minutes."""

Handle = Annotated[str, AfterValidator(lambda value: value.removeprefix("@"))]
"""The name of an account, with or without `@`."""

Secret = Annotated[SecretStr, AfterValidator(_secret)]
"""A password or token: visible ASCII without spaces, masked wherever it is shown."""

SecureUrl = Annotated[str, AfterValidator(_secure_url)]
"""An address to which secrets may be sent: by https, or on this machine. It loses a slash at its end."""

SecretUrl = Annotated[SecretStr, AfterValidator(_secret_url)]
"""Such an address that is itself a secret, as it is."""

PublicUrl = Annotated[str, AfterValidator(_public_url)]
"""An address that readers use."""
