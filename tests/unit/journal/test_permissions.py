"""Files and folders that others may read or change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from policenotify.errors import JournalError, SettingsError
from policenotify.journal import open_journal
from policenotify.journal.keys import Keys
from policenotify.journal.permissions import PRIVATE, READABLE, SHARED, exposures, read_closed

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "folder" / "file"
    file.parent.mkdir(mode=0o700)
    file.touch(0o600)
    return file


@pytest.mark.parametrize(
    ("forbidden", "closed", "opened"),
    [
        (PRIVATE, (0o400, 0o600, 0o640), (0o604, 0o620, 0o601, 0o644, 0o666, 0o777)),
        (SHARED, (0o600, 0o640, 0o660), (0o604, 0o602, 0o664)),
        (READABLE, (0o600, 0o644, 0o755), (0o620, 0o602, 0o664, 0o666)),
    ],
)
def test_each_kind_of_file_has_its_forbidden_permissions(
    file: Path, forbidden: int, closed: tuple[int, ...], opened: tuple[int, ...]
) -> None:
    for mode in closed:
        file.chmod(mode)
        assert not [*exposures(file, forbidden)]
        assert read_closed(file, forbidden) == b""
    for mode in opened:
        file.chmod(mode)
        [exposure] = exposures(file, forbidden)
        assert str(exposure).endswith(f"(mode {mode:04o}); close it: chmod 600 {file}")
        with pytest.raises(SettingsError, match=f"chmod 600 {file}"):
            read_closed(file, forbidden)


def test_a_file_whose_folder_others_may_change_is_open(file: Path) -> None:
    file.parent.chmod(0o770)
    [exposure] = exposures(file)
    assert str(exposure).endswith(f"chmod go-w {file.parent}")
    assert not [*exposures(file, SHARED)]
    for mode in (0o777, 0o1777):
        file.parent.chmod(mode)
        for forbidden in (PRIVATE, READABLE, SHARED):
            [exposure] = exposures(file, forbidden)
            assert str(exposure).startswith(f"{file.parent} is open to others")


@as_root
@pytest.mark.parametrize("which", ["file", "folder", "above"])
def test_what_belongs_to_another_user_is_refused(file: Path, tmp_path: Path, which: str) -> None:
    path = {"file": file, "folder": file.parent, "above": tmp_path}[which]
    os.chown(path, 65534, 0)
    with pytest.raises(SettingsError) as raised:
        read_closed(file)
    assert f"{path} belongs to another user (uid 65534). Run as that user, or " in str(raised.value)
    assert ("chown" in str(raised.value)) == (which == "file")  # no folder that others need is taken from them


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_a_journal_of_which_a_file_is_open_to_others_is_refused(tmp_path: Path, keys: Keys, suffix: str) -> None:
    """A lock on the log's index needs no more than reading it, and stops every writer."""
    path = tmp_path / "journal.db"
    journal = open_journal(str(path), keys=keys, create=True)
    exposed = Path(f"{path}{suffix}")
    exposed.chmod(0o604)
    with pytest.raises(JournalError, match=f"nothing was sent.*chmod 600 {exposed}"):
        open_journal(str(path), keys=keys)
    exposed.chmod(0o660)
    open_journal(str(path), keys=keys).close()
    journal.close()


def test_no_journal_is_made_where_others_may_put_its_log(tmp_path: Path, keys: Keys) -> None:
    tmp_path.chmod(0o1777)
    why = rf"{tmp_path} is open to others \(mode 1777\); move what is in it into a folder that only this user"
    with pytest.raises(JournalError, match=why):
        open_journal(str(tmp_path / "journal.db"), keys=keys, create=True)
    assert not [*tmp_path.iterdir()]
