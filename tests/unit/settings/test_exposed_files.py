"""Files of an installation that others may read or change."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from policenotify.errors import SettingsError
from policenotify.settings import channels_of, open_publisher, read_settings, write_settings

_BLUESKY = """
[channels.bluesky]
network = "bluesky"
handle = "police.example"
password = { file = "secrets/bluesky" }
"""


@pytest.fixture
def no_mask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_settings(tmp_path / "desk")
    (tmp_path / "desk" / "secrets" / "bluesky").write_text("hunter22\n")
    settings = tmp_path / "desk" / "policenotify.toml"
    settings.write_text(settings.read_text().partition("[channels.")[0] + _BLUESKY)
    return tmp_path / "desk"


@pytest.mark.usefixtures("no_mask")
def test_a_new_installation_is_its_owner_s_alone(tmp_path: Path) -> None:
    write_settings(tmp_path / "new" / "desk")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").rglob("*")}
    for name in ("policenotify.toml", "policenotify.keys", "policenotify.db"):
        assert modes[name] == 0o600
    assert modes["desk"] == modes["secrets"] == stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_nothing_is_written_into_a_folder_that_others_may_change(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for place in (tmp_path, tmp_path / "new", tmp_path / "new" / "desk"):
        with pytest.raises(SettingsError, match=f"Nothing was written.*chmod go-w {tmp_path}"):
            write_settings(place)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_settings_that_others_may_change_are_refused(place: Path, mode: int) -> None:
    """A user who may write the settings can have the passwords sent to another server."""
    file = place / "policenotify.toml"
    file.chmod(mode)
    with pytest.raises(SettingsError, match=f"chmod 600 {file}"):
        read_settings(file, environ={})
    file.chmod(0o600)
    place.chmod(0o777)
    with pytest.raises(SettingsError, match=f"chmod go-w {place}"):
        read_settings(file, environ={})


def test_settings_that_others_may_read_are_refused_only_with_a_secret_in_them(place: Path) -> None:
    file = place / "policenotify.toml"
    file.chmod(0o644)
    [channel] = channels_of(read_settings(file, environ={}))
    assert not channel.blocked
    file.write_text(file.read_text().replace('{ file = "secrets/bluesky" }', '"hunter22"'))
    settings = read_settings(file, environ={})
    [channel] = channels_of(settings)
    assert f"A secret is written in the settings. {file} is open to others" in str(channel.blocked)
    assert f"chmod 600 {file}" in str(channel.blocked)
    assert "hunter22" not in str(channel.blocked)


def test_settings_with_the_password_of_the_journal_are_refused_if_others_may_read_them(place: Path) -> None:
    file = place / "policenotify.toml"
    text = file.read_text()
    for url, refused in (
        ("postgresql://desk:hunter22@db.example/journal", True),
        ("postgresql://desk@db.example/journal?password=hunter22", True),
        ("postgresql://desk@db.example/journal", False),
    ):
        file.write_text(text.replace('journal = "policenotify.db"', f'journal = "{url}"', 1))
        file.chmod(0o600)
        assert read_settings(file, environ={}).journal_url == url
        file.chmod(0o644)
        if refused:
            with pytest.raises(SettingsError, match=f"chmod 600 {file}") as raised:
                read_settings(file, environ={})
            assert "hunter22" not in str(raised.value)
        else:
            assert read_settings(file, environ={}).journal_url == url


@pytest.mark.parametrize("mode", [0o604, 0o620])
def test_a_secret_that_others_may_read_stops_its_channel(place: Path, mode: int) -> None:
    secret = place / "secrets" / "bluesky"
    secret.chmod(mode)
    fault = read_settings(place / "policenotify.toml", environ={}).faults["bluesky"]
    assert re.search(rf"password: is not used\. .*chmod 600 {secret}", str(fault))
    assert f"channels.bluesky.password\u00a0: n'est pas utilisé. {secret} est ouvert à d'autres" in fault.in_("fr")
    with open_publisher(place / "policenotify.toml") as publisher:
        assert f"chmod 600 {secret}" in str(publisher.operations.blocked()["bluesky"])
        assert publisher.installation.channel_configs["bluesky"].account  # so that its posts are rendered, and wait
    secret.chmod(0o600)
    (place / "secrets").chmod(0o777)
    fault = read_settings(place / "policenotify.toml", environ={}).faults["bluesky"]
    assert f"chmod go-w {place / 'secrets'}" in str(fault)


def test_phrases_that_others_may_change_are_refused(place: Path) -> None:
    (place / "de.toml").write_text('base = "en"')
    with (place / "policenotify.toml").open("a") as file:
        file.write('\n[languages]\nde = "de.toml"\n')
    (place / "de.toml").chmod(0o666)
    with pytest.raises(SettingsError, match=rf"de\.toml: .*chmod 600 {place / 'de.toml'}"):
        read_settings(place / "policenotify.toml", environ={})
    (place / "de.toml").chmod(0o644)
    assert list(read_settings(place / "policenotify.toml", environ={}).languages) == ["de"]


@pytest.mark.usefixtures("no_mask")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as another user")
def test_another_user_can_open_no_file_of_an_installation(tmp_path: Path) -> None:
    """Without a file that he may open he can neither read it nor take a lock that delays a writer."""
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:  # made by pytest for its user alone
            folder.chmod(0o755)
    place = tmp_path / "desk"
    place.mkdir(0o755)
    write_settings(place)
    (place / "secrets" / "bluesky").write_text("hunter22\n")
    (place / "secrets" / "bluesky").chmod(0o600)
    with open_publisher(place / "policenotify.toml") as publisher:
        publisher.journal.stop("cne Roux")
        files = [path for path in place.rglob("*") if path.name != ".gitignore" and path.is_file()]
        assert {path.name for path in files} >= {"policenotify.db-wal", "policenotify.db-shm", "policenotify.keys"}
        opened = []
        os.setegid(65534)
        os.seteuid(65534)
        try:
            for path in files:
                for flags in (os.O_RDONLY, os.O_WRONLY):
                    try:
                        os.close(os.open(path, flags))
                    except PermissionError:
                        continue
                    opened.append(path)
        finally:
            os.seteuid(0)
            os.setegid(0)
    assert opened == []
