"""A console keeps the contract."""

from __future__ import annotations

import errno
import io
from types import SimpleNamespace
from typing import Self

import pytest

from policenotify.channel import Channel
from policenotify.networks import console as console_module
from policenotify.networks.console import Console
from policenotify.testing import ChannelContract, Fault, NetworkFixture, VisiblePost
from policenotify.testing.contract.fixtures import Call
from tests.support.channels import open_channel


class Terminal(io.StringIO):
    """A stream that fails on demand, before or after what is written to it can be read."""

    def __init__(self) -> None:
        super().__init__()
        self.before: Exception | None = None
        self.after: Exception | None = None

    def write(self, text: str) -> int:
        if self.before:
            raise self.before
        return super().write(text)

    def flush(self) -> None:
        if self.after:
            raise self.after


class ConsoleFixture(NetworkFixture):
    """Standard error, as a person reads it."""

    faults = frozenset({Fault.UNREACHABLE, Fault.DISCONNECTED, Fault.DISCONNECTED_AFTER})

    def __init__(self) -> None:
        super().__init__()
        self.terminal = Terminal()
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> Self:
        # Not the process's own `sys`: pytest captures its streams anew in each phase of a test.
        self._patch.setattr(console_module, "sys", SimpleNamespace(stderr=self.terminal))
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._patch.undo()

    @property
    def visible_posts(self) -> list[VisiblePost]:
        return seen(self.terminal.getvalue())

    def fail_next(self, fault: Fault, call: Call = "post") -> None:
        del call  # there is only one
        failed = OSError(errno.EIO, "Input/output error")
        if fault is Fault.DISCONNECTED_AFTER:
            self.terminal.after = failed
        else:
            self.terminal.before = BrokenPipeError() if fault is Fault.UNREACHABLE else failed

    def recover(self) -> None:
        self.terminal.before = self.terminal.after = None


def seen(printed: str) -> list[VisiblePost]:
    """Return the posts of a terminal as its reader sees them."""
    posts: list[VisiblePost] = []
    for block in printed.split("└─\n")[:-1]:
        head, *lines = block.removesuffix("\n").split("\n")
        parent = (lines.pop(0).removeprefix("│ ↳ "),) if lines[0].startswith("│ ↳ ") else ()
        text = "\n".join(line.removeprefix("│").removeprefix(" ") for line in lines)
        posts.append(VisiblePost(texts=(text,), id=head.rpartition(" ")[2], parents=parent))
    return posts


class TestConsole(ChannelContract):
    secrets = ("2026-0815",)  # a dispatch number: a console has no credentials
    # A terminal takes every content, sets no limit, and has no credentials.
    test_refusal_raises_refused = None
    test_rate_limit_raises_unavailable = None
    test_wrong_credentials_raise_blocked = None
    test_whoami_proves_the_credentials = None

    def make_network(self) -> ConsoleFixture:
        return ConsoleFixture()

    def open(self, network: ConsoleFixture) -> Channel:
        del network  # the channel finds the process's stream by itself
        return open_channel(Console)
