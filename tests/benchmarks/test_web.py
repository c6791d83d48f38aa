"""How many polls a minute the feed's own web server answers by 304: `pytest -m benchmark -s`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from policenotify.formats.drawing import draw
from tests.support.feed_items import make_feed, sample_items

pytestmark = pytest.mark.benchmark

_POLLS = 6_000
_READERS = 20  # connections, each with one poll in flight
_SERVER = (
    "import socket, sys, uvicorn\n"
    "from policenotify.web import app\n"
    "listener = socket.socket(fileno=int(sys.argv[2]))\n"
    "config = uvicorn.Config(app(sys.argv[1]), log_level='error', access_log=False, lifespan='off')\n"
    "uvicorn.Server(config).run(sockets=[listener])"
)

_HEAD = b"GET /feed.atom HTTP/1.1\r\nHost: feed.example\r\nUser-Agent: newsboat/2.36\r\nAccept-Encoding: gzip\r\n"


def _exchange(reader: socket.socket, request: bytes) -> bytes:
    reader.sendall(request)
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = reader.recv(65_536)
        assert piece, answer
        answer += piece
    return answer


def _cpu_seconds(process: int) -> float:
    """Return the processor time that a process has used (proc_pid_stat(5), fields 14 and 15)."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("kept", [True, False], ids=["kept connections", "a connection for each poll"])
def test_fifty_thousand_polls_a_minute_and_core_are_answered(tmp_path: Path, *, kept: bool) -> None:
    for path, content in draw(make_feed(*sample_items("accident/opening", "accident/end"))).items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        address = listener.getsockname()
        command = [sys.executable, "-c", _SERVER, str(tmp_path), str(listener.fileno())]
        server = subprocess.Popen(command, pass_fds=[listener.fileno()])  # noqa: S603 - our own code

    def connect() -> socket.socket:
        return socket.create_connection(address, timeout=30)

    try:
        readers = [connect() for _ in range(_READERS)]
        etag = _exchange(readers[0], _HEAD.replace(b"GET", b"HEAD") + b"\r\n").partition(b"\r\netag: ")[2]
        request = _HEAD + b"If-None-Match: " + etag.split(b"\r\n")[0] + b"\r\n\r\n"
        assert all(_exchange(reader, request).startswith(b"HTTP/1.1 304") for reader in readers)
        began, before = time.perf_counter(), _cpu_seconds(server.pid)
        for _ in range(_POLLS // _READERS):
            if not kept:
                for reader in readers:
                    reader.close()
                readers = [connect() for _ in range(_READERS)]
            for reader in readers:
                reader.sendall(request)
            for reader in readers:
                assert reader.recv(65_536).startswith(b"HTTP/1.1 304")
        wall, cpu = time.perf_counter() - began, _cpu_seconds(server.pid) - before
        for reader in readers:
            reader.close()
    finally:
        server.terminate()
        server.wait(10)
    print(f"\n{_POLLS / cpu * 60:,.0f} polls a minute and core ({cpu / _POLLS * 1e6:.0f} µs each), {wall:.1f} s")
    assert _POLLS / cpu * 60 > 50_000
