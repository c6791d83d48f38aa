"""What is in the folder, and what its receipts name."""

from __future__ import annotations

import errno
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from policenotify.channel import PostRef
from policenotify.errors import Blocked, Refused, SettingsError, Unavailable, Unconfirmed
from policenotify.networks.file import PostFiles
from policenotify.networks.registry import configure_channel
from tests.support.network_calls import NOW, a_post


def send(files: PostFiles, *reply_to: PostRef, **post: Any) -> PostRef:
    return files.send(files.prepare(a_post(account=files.account, **post), reply_to))


def test_a_post_is_a_document_for_programs_and_a_text_for_people(tmp_path: Path) -> None:
    ref = send(PostFiles(folder=tmp_path), text="Route barrée.\nÉvitez le secteur.")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".new", f"{ref.id}.json", f"{ref.id}.txt"]
    assert list((tmp_path / ".new").iterdir()) == []
    document = json.loads((tmp_path / f"{ref.id}.json").read_text(encoding="utf-8"))
    assert document["schema_version"] == 1
    assert document["text"] == "Route barrée.\nÉvitez le secteur."
    assert document["key"].startswith(ref.id.rpartition("-")[2])
    assert (tmp_path / f"{ref.id}.txt").read_text(encoding="utf-8").splitlines()[1] == "│ Route barrée."


def test_the_permalink_is_the_address_of_the_text(tmp_path: Path) -> None:
    folder = tmp_path / "posts à lire"
    folder.mkdir()
    ref = send(PostFiles(folder=folder), text="Route barrée.")
    assert ref.url
    assert "Route barrée." in Path(unquote(urlsplit(ref.url).path)).read_text(encoding="utf-8")
    assert PostRef.read(ref.model_dump_json()) == ref


@pytest.mark.parametrize("url", ["file://server/share", "file:///a b", "file:///a?b", "file:relative", "javascript:x"])
def test_no_other_address_becomes_a_permalink(url: str) -> None:
    assert PostRef(account="a", id="1", url=url).url is None


def test_an_edit_keeps_id_and_place(tmp_path: Path) -> None:
    files = PostFiles(folder=tmp_path)
    ref = send(files, text="Faux")
    edited = files.edit(ref, files.prepare(a_post(account=files.account, text="Juste", key="f" * 64), ()))
    assert edited == ref
    assert json.loads((tmp_path / f"{ref.id}.json").read_text(encoding="utf-8"))["id"] == ref.id
    assert ref.id in (tmp_path / f"{ref.id}.txt").read_text(encoding="utf-8")
    files.delete(ref)
    with pytest.raises(Refused, match="not in the folder any more"):
        files.edit(ref, files.prepare(a_post(account=files.account, text="Juste"), ()))


@pytest.mark.parametrize("id_", ["../../etc/passwd", "", "20260302T063000000000Z-0123456789abcdeg"])
def test_only_its_own_posts_are_changed(tmp_path: Path, id_: str) -> None:
    files = PostFiles(folder=tmp_path)
    with pytest.raises(Refused):
        files.delete(PostRef(account=files.account, id=id_))
    with pytest.raises(Refused):
        files.delete(PostRef(account="another", id="20260302T063000000000Z-0123456789abcdef"))


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (errno.ENOSPC, Unavailable, "disk of the folder"),
        (errno.EROFS, Blocked, "may not be written"),
        (errno.EIO, Unavailable, "could not be written"),
    ],
)
def test_what_the_disk_reports_before_anything_is_visible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception], words: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    files = PostFiles(folder=tmp_path)
    monkeypatch.setattr("policenotify.networks.file.folder.os.link", fail)
    with pytest.raises(kind, match=words):
        send(files, text="Route barrée.")
    with pytest.raises(kind):
        files.whoami()
    assert list(tmp_path.glob("*.json")) == []


def test_a_link_that_was_made_although_the_system_reports_an_error_is_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def fail(*names: Path) -> None:
        link(*names)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("policenotify.networks.file.folder.os.link", fail)
    with pytest.raises(Unconfirmed):
        send(PostFiles(folder=tmp_path), text="Route barrée.")


def test_a_relative_folder_is_refused() -> None:
    with pytest.raises(SettingsError, match="must be an absolute path"):
        configure_channel("dossier", "file", {"folder": "posts"})


def test_its_posts_have_the_wording_of_another_network(tmp_path: Path) -> None:
    like = configure_channel("dossier", "file", {"folder": str(tmp_path), "like": "sms"})
    assert like.capabilities.budget.transliterate
    assert (like.capabilities.images, like.capabilities.edits, like.capabilities.recipients) == (10, True, False)


def test_a_post_of_which_a_crash_left_one_file_is_completed(tmp_path: Path) -> None:
    files = PostFiles(folder=tmp_path)
    request = files.prepare(a_post(account=files.account), ())
    ref = files.send(request)
    (tmp_path / f"{ref.id}.txt").unlink()
    assert files.find(request, since=NOW) is None
    assert files.send(request) == ref == files.find(request, since=NOW)


def test_the_names_of_two_posts_of_one_second_stand_in_their_order(tmp_path: Path) -> None:
    files = PostFiles(folder=tmp_path)
    times = [NOW + timedelta(microseconds=number) for number in range(4)]
    sent = [send(files, key=key * 64, created_at=at).id for key, at in zip("f09a", times, strict=True)]
    assert sorted(path.stem for path in tmp_path.glob("*.json")) == sent
