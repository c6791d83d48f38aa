"""A list of addresses in a text file, changed one person at a time."""

from __future__ import annotations

import os
import threading
from datetime import date
from pathlib import Path

import pytest

from policenotify.errors import SettingsError
from policenotify.settings.text_list import add_person, remove_person

TODAY = date(2026, 11, 26)
LINES = "# presse\nana@journal.example # chief\n\n+33612345678\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "list.txt"
    path.write_text(LINES, "utf-8")
    path.chmod(0o640)
    return path


def _add(path: Path, address: str, source: str = "form") -> bool:
    return add_person(path, address, source=source, at=TODAY, same=str.casefold)


def test_a_line_is_added_and_the_others_stay(file: Path) -> None:
    assert _add(file, " ben@mairie.example ", "form\nof # March")
    assert file.read_text("utf-8") == f"{LINES}ben@mairie.example  # consent 2026-11-26: form of March\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert [*file.parent.iterdir()] == [file]


def test_the_same_person_is_not_added_twice(file: Path) -> None:
    before = file.stat().st_ino
    assert not _add(file, "ANA@journal.example")
    assert (file.read_text("utf-8"), file.stat().st_ino) == (LINES, before)


def test_all_lines_of_a_person_are_removed(file: Path) -> None:
    file.write_text(f"{LINES}Ana@Journal.example\n", "utf-8")
    assert remove_person(file, "ana@journal.example", same=str.casefold) == 2
    assert file.read_text("utf-8") == "# presse\n\n+33612345678\n"
    assert remove_person(file, "ana@journal.example", same=str.casefold) == 0


@pytest.mark.parametrize("address", ["", " ", "a#b@c.example", "a@b.example\nc@d.example", "#", "a\x00"])
def test_what_is_no_single_address_is_refused(file: Path, address: str) -> None:
    with pytest.raises(SettingsError, match="left as it was"):
        _add(file, address)
    assert file.read_text("utf-8") == LINES


def test_a_list_that_cannot_be_changed_is_told_of(file: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be changed"):
        _add(tmp_path / "missing.txt", "a@b.example")
    file.write_bytes(b"\xff\n")
    with pytest.raises(SettingsError, match="not UTF-8"):
        _add(file, "a@b.example")
    file.write_text(LINES, "utf-8")
    file.chmod(0o644)
    with pytest.raises(SettingsError, match="is open to others"):
        _add(file, "a@b.example")


def test_a_link_to_a_list_stays_a_link(file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.txt"
    link.symlink_to(file)
    assert _add(link, "ben@mairie.example")
    assert link.is_symlink()
    assert "ben@mairie.example" in file.read_text("utf-8")


def test_processes_that_add_at_once_lose_nobody(file: Path) -> None:
    threads = [threading.Thread(target=_add, args=(file, f"p{number}@x.example")) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file.read_text("utf-8").count("@x.example") == 20


def test_a_failed_write_leaves_the_list_and_no_other_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SettingsError, match="No space left"):
        _add(file, "ben@mairie.example")
    assert file.read_text("utf-8") == LINES
    assert [*file.parent.iterdir()] == [file]
