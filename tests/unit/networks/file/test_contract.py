"""A folder of files keeps the contract."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from policenotify.channel import Channel
from policenotify.networks.file import PostFiles
from policenotify.networks.file import folder as folder_module
from policenotify.testing import ChannelContract, FakeClock, Fault, InMemoryStateStore, VisiblePost
from policenotify.testing.contract.fixtures import Call


class DeniedSystem:
    """The module `os` of a user without rights: tests run as root, to whom nothing is denied."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: str, *_: object, **__: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", path)


class FolderFixture:
    """A directory, as a program reads it."""

    faults: ClassVar[frozenset[Fault]] = frozenset({Fault.UNREACHABLE, Fault.UNAUTHORIZED, Fault.DISCONNECTED_AFTER})
    retry_after: ClassVar[timedelta | None] = None
    secrets: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.state_store = InMemoryStateStore()
        self.folder = Path("/nowhere")
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> Self:
        self._box = tempfile.TemporaryDirectory()
        self.folder = Path(self._box.name) / "posts"
        self.folder.mkdir()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self.recover()
        self._box.cleanup()

    @property
    def visible_posts(self) -> list[VisiblePost]:
        folder = self.folder if self.folder.exists() else self._elsewhere
        documents = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
        return [
            VisiblePost(
                texts=(document["text"],),
                id=document["id"],
                parents=(document["parent"],) if document["parent"] else (),
                pictures=tuple((each["alt"], (folder / each["file"]).read_bytes()) for each in document["pictures"]),
            )
            for document in documents
        ]

    def fail_next(self, fault: Fault, call: Call = "post") -> None:
        del call  # all of them read and write the same folder
        if fault in {Fault.UNREACHABLE, Fault.DISCONNECTED}:
            self.folder.rename(self._elsewhere)
        elif fault is Fault.UNAUTHORIZED:
            self._patch.setattr(folder_module, "os", DeniedSystem())
        else:
            self._patch.setattr(folder_module, "_force", _fail)

    def recover(self) -> None:
        self._patch.undo()
        if self._elsewhere.exists():
            self._elsewhere.rename(self.folder)

    @property
    def _elsewhere(self) -> Path:
        return self.folder.with_name("unmounted")


def _fail(_: Path) -> None:
    raise OSError(errno.EIO, "Input/output error")


class TestFiles(ChannelContract):
    secrets = ("2026-0815",)  # a dispatch number: a folder has no credentials
    # A directory takes every content, and sets no limit.
    test_refusal_raises_refused = None
    test_rate_limit_raises_unavailable = None

    def make_network(self) -> FolderFixture:
        return FolderFixture()

    def open(self, network: FolderFixture) -> Channel:
        return PostFiles(folder=network.folder)
