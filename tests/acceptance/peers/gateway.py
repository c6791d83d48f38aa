"""A proxy before a real server that injects the same faults as a fake server."""

from __future__ import annotations

from http.client import HTTPConnection
from typing import Final
from urllib.parse import urlencode

from policenotify.testing import Answer, RecordedRequest
from policenotify.testing.servers.http import FakeServer

_OWN: Final = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}  # RFC 9110, section 7.6.1


class Gateway(FakeServer):
    """Passes every request on to the server at `target`, and its answer back."""

    def __init__(self) -> None:
        super().__init__(self._pass)
        self.target = 0

    def _pass(self, seen: RecordedRequest) -> Answer:
        connection = HTTPConnection("localhost", self.target, timeout=30)
        query = urlencode(seen.query, doseq=True)
        headers = {name: value for name, value in seen.headers.items() if name.lower() not in _OWN}
        try:
            connection.request(seen.method, f"{seen.path}{'?' * bool(query)}{query}", seen.body, headers)
            answer = connection.getresponse()
            back = {name: value for name, value in answer.getheaders() if name.lower() not in _OWN}
            return Answer(answer.status, answer.read(), back)
        finally:
            connection.close()
