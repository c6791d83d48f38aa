"""Debian's Redis server for the tests, on a free loopback port, in a folder that is deleted afterwards."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import redis

from tests.support.patience import PATIENCE
from tests.support.ports import free_port

PROGRAM = shutil.which("redis-server")


class RedisServer:
    """One server, in memory only."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pn-redis-"))
        self.port = free_port()
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "save": "",
            "appendonly": "no",
            "dir": str(self.folder),
        }
        told = [word for name, value in settings.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen([str(PROGRAM), *told], stdout=subprocess.DEVNULL)  # noqa: S603 - Debian's own
        self.client = redis.Redis(port=self.port)
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self.client.ping()
            except redis.ConnectionError:
                assert time.monotonic() < until, "redis-server does not start"
                time.sleep(0.02)
            else:
                return

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def end(self) -> None:
        self.client.close()
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self.folder)
