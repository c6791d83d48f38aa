"""Test tools: contract suite, fake servers, fake clock and state store.

Applications test with
[`recording_publisher`][policenotify.testing.publisher.recording_publisher], or with fake servers of all networks by
[`DevNetworks`][policenotify.testing.dev.DevNetworks].

Names are imported on first use. Only [`ChannelContract`][policenotify.testing.contract.core.ChannelContract] and
[`FakeMailServer`][policenotify.testing.servers.mail.FakeMailServer] need the extra `policenotify[testing]`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policenotify.cli.report.source import ReaderPost
    from policenotify.testing.contract.core import ChannelContract
    from policenotify.testing.contract.fixtures import (
        Call,
        Fault,
        HttpFixture,
        NetworkFixture,
        OneCallFixture,
        VisiblePost,
    )
    from policenotify.testing.dev import DevNetwork, DevNetworks
    from policenotify.testing.fakes import FakeClock, InMemoryStateStore
    from policenotify.testing.publisher import Recording, recording_publisher
    from policenotify.testing.recorder import RecordedPost
    from policenotify.testing.servers.bluesky import FakeBlueskyServer
    from policenotify.testing.servers.http import Answer, Disconnect, FakeServer, NoResponse, RecordedRequest
    from policenotify.testing.servers.mail import FakeMailServer, Mail
    from policenotify.testing.servers.mastodon import FakeMastodonServer
    from policenotify.testing.servers.sms import FakeSmsServer, ReceivedSms
    from policenotify.testing.servers.x import FakeXServer

_MODULES = {
    "servers.bluesky": ("FakeBlueskyServer",),
    "contract.core": ("ChannelContract",),
    "dev": ("DevNetwork", "DevNetworks", "ReaderPost"),
    "fakes": ("FakeClock", "InMemoryStateStore"),
    "servers.mail": ("Mail", "FakeMailServer"),
    "servers.mastodon": ("FakeMastodonServer",),
    "recorder": ("RecordedPost",),
    "publisher": ("Recording", "recording_publisher"),
    "servers.sms": ("ReceivedSms", "FakeSmsServer"),
    "servers.http": ("Answer", "NoResponse", "Disconnect", "RecordedRequest", "FakeServer"),
    "contract.fixtures": (
        "Call",
        "Fault",
        "HttpFixture",
        "NetworkFixture",
        "OneCallFixture",
        "VisiblePost",
    ),
    "servers.x": ("FakeXServer",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}
_EXTRA = {"pytest", "hypothesis"}

__all__ = [
    "Answer",
    "Call",
    "ChannelContract",
    "DevNetwork",
    "DevNetworks",
    "Disconnect",
    "FakeBlueskyServer",
    "FakeClock",
    "FakeMailServer",
    "FakeMastodonServer",
    "FakeServer",
    "FakeSmsServer",
    "FakeXServer",
    "Fault",
    "HttpFixture",
    "InMemoryStateStore",
    "Mail",
    "NetworkFixture",
    "NoResponse",
    "OneCallFixture",
    "ReaderPost",
    "ReceivedSms",
    "RecordedPost",
    "RecordedRequest",
    "Recording",
    "VisiblePost",
    "recording_publisher",
]


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value: object = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    except ImportError as error:
        if error.name in _EXTRA:
            from policenotify.errors import MissingExtra  # noqa: PLC0415 - pytest imports this package in every run

            raise MissingExtra(name, "testing") from error
        raise
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
