"""Measures and repair of text for each network.

Only the measures are exported here: every network needs them. `characters`, `links`, `comparison` and `fit` shape a
text.
"""

from policenotify.text.budget import Budget, graphemes, utf8_bytes
from policenotify.text.length import mastodon_length, x_weight
from policenotify.text.sms import SmsText, find_losses, sms, to_gsm

__all__ = [
    "Budget",
    "SmsText",
    "find_losses",
    "graphemes",
    "mastodon_length",
    "sms",
    "to_gsm",
    "utf8_bytes",
    "x_weight",
]
