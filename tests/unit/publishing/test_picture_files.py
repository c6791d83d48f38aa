"""Files of pictures: from Python, and below a folder from JSON of other systems."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError

from policenotify.errors import InvalidImage, MessageRejected
from policenotify.journal import open_journal
from policenotify.journal.keys import Keys
from policenotify.model.message import Message
from policenotify.publishing import images
from policenotify.publishing.images import read_picture, with_pictures
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing import recording_publisher


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder of pictures, with all that is no picture's file beside them."""
    outside, folder = tmp_path / "outside.png", tmp_path / "pictures"
    (folder / "today").mkdir(parents=True)
    for path in (outside, folder / "plan.png", folder / "today" / "plan.png"):
        Image.new("RGB", (40, 30), "red").save(path)
    (folder / "link.png").symlink_to(folder / "plan.png")
    (folder / "linked").symlink_to(folder / "today")
    (folder / "out.png").symlink_to(outside)
    os.mkfifo(folder / "pipe.png")
    with (folder / "sparse.png").open("wb") as file:
        file.truncate(3_000_000_000)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "s.png"))
        yield folder


def _message(path: str) -> dict[str, Any]:
    return {"category": "fire", "headline": "Feu", "images": [{"alt": "Le plan", "path": path}]}


UNUSABLE = [
    "none.png", "today", "pipe.png", "s.png", "sparse.png", "out.png", "", ".", "..",
    "../outside.png", "/etc/passwd", "/proc/self/mem", "/dev/zero", "a\0b", "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("path", UNUSABLE)
def test_what_is_no_file_below_the_folder_has_one_wording(folder: Path, path: str) -> None:
    with pytest.raises(InvalidImage) as raised:
        with_pictures(_message(path), folder)
    assert str(raised.value) == (
        f"Nothing was sent: the picture {path!r} cannot be used. "
        "Give a picture's file that this user may read, of at most 50 MB."
    )
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("path", ["none.png", "today", "pipe.png", "s.png", "sparse.png"])
def test_a_path_from_python_that_is_no_usable_file_has_the_same(folder: Path, path: str) -> None:
    with pytest.raises(InvalidImage, match=r"cannot be used\. Give a picture's file that this user may read"):
        read_picture(str(folder / path))


@pytest.mark.parametrize("path", ["plan.png", "today/plan.png", "link.png", "linked/plan.png", "{}/plan.png"])
def test_a_path_below_the_folder_becomes_the_file_s_content(folder: Path, path: str) -> None:
    fields = with_pictures(_message(path.format(folder)), folder)
    assert isinstance(fields, dict)
    assert fields["images"] == [{"alt": "Le plan", "path": None, "data": (folder / "plan.png").read_bytes()}]


def test_a_publisher_reads_json_with_paths_only_below_its_folder(folder: Path, tmp_path: Path) -> None:
    keys = Keys.create(os.urandom)
    journal = open_journal(str(tmp_path / "journal.db"), keys=keys, create=True)
    with Publisher(Installation(journal=journal, channels=(), zone=UTC, sender="Police", pictures=folder)) as publisher:
        for source in (
            _message("plan.png"),
            json.dumps(_message("plan.png")),
            json.dumps(_message("plan.png")).encode(),
        ):
            assert publisher.read(source).images[0].data == (folder / "plan.png").read_bytes()
        with pytest.raises(InvalidImage, match="cannot be used"):
            publisher.read(_message("out.png"))
        both = {**_message("plan.png"), "images": [{"alt": "a", "path": "plan.png", "digest": "0" * 64}]}
        for wrong in (both, "[]", {**_message("plan.png"), "images": {"a": 1}}):
            with pytest.raises(ValidationError):
                publisher.read(wrong)
    with closing(open_journal(str(tmp_path / "journal.db"), keys=keys)) as journal:
        publisher = Publisher(Installation(journal=journal, channels=(), zone=UTC, sender="Police"))
        with pytest.raises(InvalidImage, match=r"Give its data in Base64, or name the folder .* \(pictures = …\)"):
            publisher.read(_message("plan.png"))


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
