"""What authors of networks test with: the contract suite, networks on the loopback, a clock and a keep.

Applications test with [`recorded`][policenotify.testing.recording.recorded]: what they would have published.

Names are imported when they are first used: the stands need no pytest, and only
[`ChannelContract`][policenotify.testing.contract.suite.ChannelContract] and
[`MailStand`][policenotify.testing.servers.mail.MailStand] need the extra `policenotify[testing]`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from policenotify.errors import MissingExtra

if TYPE_CHECKING:
    from policenotify.testing.contract.suite import ChannelContract
    from policenotify.testing.contract.wires import Call, HttpWire, MailsWire, OneCallWire, Shown, Trouble, Wire
    from policenotify.testing.fakes import FakeClock, MemoryKeep
    from policenotify.testing.recorder import RecordedPost
    from policenotify.testing.recording import Recording, recorded
    from policenotify.testing.servers.bluesky import BlueskyStand
    from policenotify.testing.servers.http import Answer, Hang, HangUp, Seen, Stand
    from policenotify.testing.servers.mail import Mail, MailStand
    from policenotify.testing.servers.mastodon import MastodonStand
    from policenotify.testing.servers.push import PushStand, SeenPush
    from policenotify.testing.servers.sms import SeenSms, SmsStand
    from policenotify.testing.servers.x import XStand

_HOMES = {
    "servers.bluesky": ("BlueskyStand",),
    "contract.suite": ("ChannelContract",),
    "fakes": ("FakeClock", "MemoryKeep"),
    "servers.mail": ("Mail", "MailStand"),
    "servers.mastodon": ("MastodonStand",),
    "servers.push": ("PushStand", "SeenPush"),
    "recorder": ("RecordedPost",),
    "recording": ("Recording", "recorded"),
    "servers.sms": ("SeenSms", "SmsStand"),
    "servers.http": ("Answer", "Hang", "HangUp", "Seen", "Stand"),
    "contract.wires": ("Call", "HttpWire", "MailsWire", "OneCallWire", "Shown", "Trouble", "Wire"),
    "servers.x": ("XStand",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}
_OF_THE_EXTRA = {"pytest", "hypothesis"}

__all__ = [
    "Answer",
    "BlueskyStand",
    "Call",
    "ChannelContract",
    "FakeClock",
    "Hang",
    "HangUp",
    "HttpWire",
    "Mail",
    "MailStand",
    "MailsWire",
    "MastodonStand",
    "MemoryKeep",
    "OneCallWire",
    "PushStand",
    "RecordedPost",
    "Recording",
    "Seen",
    "SeenPush",
    "SeenSms",
    "Shown",
    "SmsStand",
    "Stand",
    "Trouble",
    "Wire",
    "XStand",
    "recorded",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    except ImportError as error:
        if error.name in _OF_THE_EXTRA:
            raise MissingExtra(name, "testing") from error
        raise
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
