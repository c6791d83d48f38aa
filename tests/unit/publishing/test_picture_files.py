"""Files of pictures."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from policenotify.errors import InvalidImage, MessageRejected
from policenotify.model.message import Message
from policenotify.publishing import images
from policenotify.publishing.images import read_picture
from policenotify.testing import recording_publisher


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder of pictures, with all that is no picture's file beside them."""
    folder = tmp_path / "pictures"
    (folder / "today").mkdir(parents=True)
    Image.new("RGB", (40, 30), "red").save(folder / "plan.png")
    os.mkfifo(folder / "pipe.png")
    with (folder / "sparse.png").open("wb") as file:
        file.truncate(3_000_000_000)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "s.png"))
        yield folder


def _message(path: str) -> dict[str, Any]:
    return {"category": "fire", "headline": "Feu", "images": [{"alt": "Le plan", "path": path}]}


@pytest.mark.parametrize("path", ["none.png", "today", "pipe.png", "s.png", "sparse.png"])
def test_a_path_from_python_that_is_no_usable_file_has_the_same(folder: Path, path: str) -> None:
    with pytest.raises(InvalidImage, match=r"cannot be used\. Give a picture's file that this user may read"):
        read_picture(str(folder / path))


def test_no_file_stays_open(folder: Path) -> None:
    before = len([*Path("/proc/self/fd").iterdir()])
    for path in ("today", "pipe.png", "sparse.png"):
        with pytest.raises(InvalidImage):
            read_picture(folder / path)
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_files_are_read_outside_the_journal_s_transactions(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow disk must not keep a transaction open."""
    with recording_publisher() as desk:
        inside: list[bool] = []
        journal, read = desk.publisher.journal, read_picture

        def watched(path: Path) -> bytes:
            inside.append(journal._engine.pool.checkedout() > 0)  # type: ignore[attr-defined]  # of a queue's pool
            return read(path)

        monkeypatch.setattr(images, "read_picture", watched)
        images_of = [{"alt": "Le plan", "path": folder / "plan.png"}]
        message = Message.model_validate({**_message(""), "images": images_of})
        with pytest.raises(MessageRejected):  # by a check, after the files were read
            desk.publisher.publish(message, key="k", actor="a")
    assert inside == [False]
