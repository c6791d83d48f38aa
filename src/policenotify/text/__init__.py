"""Measures and repair of text for each network.

Only the measures are exported here: every network needs them. `characters`, `spans`, `comparison` and `fit` shape a
text.
"""

from policenotify.text.budget import Budget, graphemes, utf8_bytes
from policenotify.text.mastodon import mastodon_entities, mastodon_length
from policenotify.text.sms import GsmText, SmsText, sms, to_gsm
from policenotify.text.x_entities import Entity, x_entities
from policenotify.text.x_length import x_valid, x_weight

__all__ = [
    "Budget",
    "Entity",
    "GsmText",
    "SmsText",
    "graphemes",
    "mastodon_entities",
    "mastodon_length",
    "sms",
    "to_gsm",
    "utf8_bytes",
    "x_entities",
    "x_valid",
    "x_weight",
]
