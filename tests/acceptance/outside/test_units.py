"""The worker delivers under its shipped unit, started by a real systemd in namespaces of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from policenotify import open_publisher
from tests.acceptance.outside.environments import run, uv_program
from tests.support.installation import ADDRESSES, Desk, accident, open_desk

pytestmark = [
    pytest.mark.outside,
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root makes namespaces"),
]
USER = 64_999
SYSTEMD = Path("/lib/systemd/systemd")

# Nothing of it is seen outside: /etc, /run, /tmp and /var are copies or empty, and the units are the only ones.
BOOT = f"""
set -e
umask 022
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir -p /run/etc/upper /run/etc/work /run/units
cp -r "$1"/policenotify/share/policenotify/systemd/* /run/units
for target in sysinit basic shutdown network-online; do
  printf '[Unit]\\nDefaultDependencies=no\\n' >/run/units/$target.target
done
printf '[Service]\\nStandardOutput=append:/opt/boot.log\\nStandardError=inherit\\n' \\
  >/run/units/policenotify-.service.d/log.conf
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work /etc
echo 'policenotify:x:{USER}:{USER}::/:/usr/sbin/nologin' >>/etc/passwd
echo 'policenotify:x:{USER}:' >>/etc/group
cp -r "$1/etc" /etc/policenotify
chgrp -R {USER} /etc/policenotify
chmod -R u=rwX,g=rX,o= /etc/policenotify
chmod 600 /etc/policenotify/policenotify.keys
chmod 755 "$1"
chmod -R u=rwX,go=rX "$1/policenotify"
mount --bind "$1" /opt
mount -t tmpfs -o mode=755 tmpfs /var/lib
cp -r /opt/state /var/lib/policenotify
chown -R {USER} /var/lib/policenotify
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=1777 tmpfs /var/tmp
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --make-rshared /
exec env -i container=test SYSTEMD_UNIT_PATH=/run/units PATH=/usr/sbin:/usr/bin {SYSTEMD} --system \\
  --unit=policenotify-worker.service --show-status=0
"""


@pytest.fixture
def machine(tmp_path: Path, wheel: Path, locked: Path) -> Path:
    """A folder that is `/opt` for the unit: our wheel in an environment, with the interpreter of the system."""
    environment = os.fspath(tmp_path / "opt" / "policenotify")
    run([uv_program(), "venv", "-q", "--relocatable", "-p", "/usr/bin/python3", environment], at=tmp_path)
    wanted = [f"{wheel}[cli,bluesky,email]", "-c", os.fspath(locked)]
    run([uv_program(), "pip", "install", "-q", "-p", environment, *wanted], at=tmp_path)
    return tmp_path / "opt"


def _install(desk: Desk, machine: Path) -> None:
    """Put the settings, the keys and a journal with a waiting message where the units expect them."""
    settings = desk.write_settings()
    with open_publisher(settings) as publisher:
        publisher.publish(accident(), key="waits", actor="desk", wait=timedelta(0))
    text = settings.read_text(encoding="utf-8").replace('"journal.db"', '"/var/lib/policenotify/journal.db"')
    settings.write_text(text.replace('keys = "keys"', 'keys = "policenotify.keys"'), encoding="utf-8")
    (machine / "etc").mkdir()
    for source, name in ((settings, ""), (desk.folder / "keys", "policenotify.keys"), (desk.folder / "presse.txt", "")):
        shutil.copy(source, machine / "etc" / (name or source.name))
    (machine / "state").mkdir(0o700)
    shutil.copy(desk.database, machine / "state")


@contextmanager
def _booted(machine: Path) -> Iterator[Callable[[], str]]:
    command = [
        "unshare",
        "--pid",
        "--fork",
        "--mount",
        "--uts",
        "--ipc",
        "--cgroup",
        "--kill-child",
        "bash",
        "-c",
        BOOT,
    ]
    log = machine / "boot.log"
    with log.open("w+", encoding="utf-8") as out:
        process = subprocess.Popen(  # noqa: S603 - our own
            [*command, "boot", os.fspath(machine)], stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
        try:
            yield lambda: log.read_text(encoding="utf-8")
        finally:
            process.kill()  # and with it the whole namespace
            process.wait()


def _worker() -> dict[str, str]:
    """Return what the kernel has about the worker's process."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            status = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines())
            if status["Uid"].split() == [str(USER)] * 4 and b"worker" in (folder / "cmdline").read_bytes():
                return {name: value.strip() for name, value in status.items()}
    return {}


@pytest.mark.skipif(not SYSTEMD.exists(), reason="needs Debian's package systemd")
def test_the_worker_delivers_under_its_unit(machine: Path, tmp_path: Path) -> None:
    (tmp_path / "desk").mkdir()
    with open_desk(tmp_path / "desk") as desk:
        _install(desk, machine)
        with _booted(machine) as log:
            for _ in range(300):
                if desk.bluesky.posts and all(desk.mail.threads(address) for address in ADDRESSES):
                    break
                time.sleep(0.1)
            status = _worker()
            assert len(desk.bluesky.posts) == 1, log()
            assert [len(desk.mail.threads(address)) for address in ADDRESSES] == [1, 1, 1]
    assert {name: status[name] for name in ("Umask", "NoNewPrivs", "Seccomp")} == {
        "Umask": "0077",
        "NoNewPrivs": "1",
        "Seccomp": "2",
    }
    assert {int(status[name], 16) for name in status if name.startswith("Cap")} == {0}
