"""Status codes and words of mail servers by which a missing mailbox and a full one differ from other failures."""

from __future__ import annotations

import re
from typing import Final

GONE: Final = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
"""Enhanced codes of an address that does not exist (RFC 3463, section 3.2; RFC 7505, section 4.2)."""

FULL: Final = frozenset({"4.2.2", "5.2.2"})
"""Enhanced codes of a full mailbox (RFC 3463, section 3.3)."""

# For servers without enhanced codes. A bare 550 also means "relay not permitted", which concerns all recipients.
_UNKNOWN = re.compile(
    r"(unknown|no such|invalid|unrout\w+) (local )?(user|recipient|mailbox|address)"
    r"|(user|recipient|mailbox|address) (is )?(unknown|not found|does not exist|doesn't exist)",
    re.IGNORECASE,
)
# A full mailbox is also refused with a bare 550 or 552, and with other enhanced codes.
_QUOTA = re.compile(
    r"\b(over|exceed\w*) (\w+ ){0,3}quota|\bquota (\w+ ){0,2}(exceeded|full|reached)"
    r"|\b(mailbox|inbox) (\w+ ){0,3}(full|out of storage)|\bfull mailbox|\bmailbox size limit exceeded",
    re.IGNORECASE,
)


def names_unknown_user(text: str) -> bool:
    """Return True if a server's words describe a mailbox that does not exist."""
    return _UNKNOWN.search(text) is not None


def names_full_mailbox(text: str) -> bool:
    """Return True if a server's words describe a full mailbox."""
    return _QUOTA.search(text) is not None
