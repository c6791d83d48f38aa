"""Calls to a gateway go over connections that stay open, as many at once as the options allow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from policenotify.channel import Recipient
from policenotify.errors import (
    SettingsError,
)
from policenotify.networks.sms.channel import Sms
from policenotify.testing.fakes import FakeClock
from policenotify.testing.servers.sms import FakeSmsServer
from tests.support.channels import open_channel
from tests.support.network_calls import a_post
from tests.support.patience import ANSWERED

CALL = "method=GET&:version=&:title=&:type=&:message=text&:username=desk&:password=s3cret&:charset=UTF-8"


def people(count: int) -> list[Recipient]:
    return [Recipient(key=f"{number:03}", address=f"+3363998{number:04}") for number in range(count)]


def kannel(url: str, **options: Any) -> Sms:
    at = url.removeprefix("http://")
    address = f"form://{at}{FakeSmsServer.KANNEL}?{CALL}&:coding={{coding}}&:to={{recipient}}"
    return open_channel(Sms, url=SecretStr(address), **{"timeout": ANSWERED, "clock": FakeClock(), **options})


class Door(ThreadingHTTPServer):
    """A gateway that counts connections and accepts every message."""

    daemon_threads = True

    def __init__(self) -> None:
        self.connections = 0
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                door.connections += 1
                super().setup()

            def do_GET(self) -> None:
                self.send_response(202)
                self.send_header("Content-Length", "2")
                self.send_header("Set-Cookie", "who=you")
                self.end_headers()
                self.wfile.write(b"ok")
                assert "Cookie" not in self.headers

            def log_message(self, *_: object) -> None: ...

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    yield made
    made.shutdown()
    made.server_close()


def test_a_connection_stays_open_from_one_call_to_the_next(door: Door) -> None:
    clock = FakeClock()
    by = kannel(door.url, clock=clock)
    request = by.prepare(a_post(), ())
    for person in people(9):
        assert [each.outcome for each in by.send_to(request, [person])] == ["posted"]
    assert door.connections == 1
    clock.pass_by(2.0)  # the server may close it at any moment now
    by.send_to(request, people(1))
    assert door.connections == 2
    by.close()
    by.close()
    by.send_to(request, people(1))
    assert door.connections == 3
    by.close()


# --- when it ends early


# --- options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"parallel": 33}, "parallel: .* up to 32"),
        ({"batch": 101}, "batch: .* up to 100"),
        ({"batch": 2}, "batch: form does not answer for each person"),
    ],
)
def test_limits_are_told(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        kannel("http://127.0.0.1:1", **options)
