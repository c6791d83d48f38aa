"""What the page knows of each network: how it looks, what it counts, what it makes of a link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal


def _none(_account: str) -> str:
    return ""


def _at_name(account: str) -> str:
    """`@police34.example` of `police34.example@host`: where the account is kept is not what readers see."""
    return f"@{account.removeprefix('@').partition('@')[0]}"


def _at_name_and_host(account: str) -> str:
    """`@police34@social.example`; a host with a port is no name that readers see."""
    return _at_name(account) if ":" in account else f"@{account.removeprefix('@')}"


def _address(account: str) -> str:
    """The sender's address, without the name of the list."""
    return account.partition(" ")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a network looks.

    Attributes:
        network: Its name in the settings.
        name: What people call it.
        form: What its readers hold before them.
        unit: What its count counts.
        handle: What readers see of an account, as the channel names it. Nothing, where that may be a number or a key.
        card: Where the link card comes from: from the post, or from the linked page; `none`: it makes no card.
    """

    network: str
    name: str
    form: Literal["timeline", "mailbox", "phone", "plain"]
    unit: str = "characters"
    handle: Callable[[str], str] = _none
    card: Literal["post", "page", "none"] = "none"


_LOOKS: Final = {
    look.network: look
    for look in (
        Look(
            network="x",
            name="X",
            form="timeline",
            unit="characters as X counts",
            handle=_at_name,
            card="page",
        ),
        Look(
            network="mastodon",
            name="Mastodon",
            form="timeline",
            unit="characters as Mastodon counts",
            handle=_at_name_and_host,
            card="page",
        ),
        Look(
            network="bluesky",
            name="Bluesky",
            form="timeline",
            unit="characters as Bluesky counts",
            handle=_at_name,
            card="post",
        ),
        Look(network="sms", name="SMS", form="phone", unit="units"),
        Look(network="email", name="E-mail", form="mailbox", handle=_address),
    )
}
ORDER: Final = tuple(_LOOKS)
"""The networks in the order of the page: any other one comes after them."""


def look_of(network: str) -> Look:
    """How a network looks; one that is not known here is a plain card under its own name."""
    return _LOOKS.get(network) or Look(network="other", name=network, form="plain")
