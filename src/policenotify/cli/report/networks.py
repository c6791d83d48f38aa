"""How each network looks to its readers: its form, its count, its link card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from policenotify.translation import AnyText, Text


def _none(_account: str) -> str:
    return ""


def _at_name(account: str) -> str:
    """Return `@police34.example`. Readers do not see the host after a second @."""
    return f"@{account.removeprefix('@').partition('@')[0]}"


def _at_name_and_host(account: str) -> str:
    """Return `@police34@social.example`. Readers do not see a host with a port."""
    return _at_name(account) if ":" in account else f"@{account.removeprefix('@')}"


def _address(account: str) -> str:
    """Return the sender's address, without the name of the list."""
    return account.partition(" ")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a network looks.

    Attributes:
        unit: The unit of its count.
        handle: Returns what readers see of an account. Nothing, where that may be a number or a key.
        card: Where the link card comes from: from the post, or from the linked page.
    """

    network: str
    name: str
    form: Literal["timeline", "mailbox", "phone", "plain"]
    unit: AnyText = "characters"
    handle: Callable[[str], str] = _none
    card: Literal["post", "page", "none"] = "none"


def _timeline(network: str, name: str, handle: Callable[[str], str], card: Literal["post", "page"]) -> Look:
    unit = Text("characters as {name} counts", name=name)
    return Look(network=network, name=name, form="timeline", unit=unit, handle=handle, card=card)


_LOOKS: Final = {
    look.network: look
    for look in (
        _timeline("x", "X", _at_name, "page"),
        _timeline("mastodon", "Mastodon", _at_name_and_host, "page"),
        _timeline("bluesky", "Bluesky", _at_name, "post"),
        Look(network="sms", name="SMS", form="phone", unit="units"),
        Look(network="email", name="E-mail", form="mailbox", handle=_address),
    )
}
ORDER: Final = tuple(_LOOKS)
"""The networks in the order of the page. Any other one comes after them."""


def look_of(network: str) -> Look:
    """Return how a network looks. An unknown one is a plain card under its own name."""
    return _LOOKS.get(network) or Look(network="other", name=network, form="plain")
