"""A proxy on the loopback that directs every https address to one local port.

It lets an unmodified client library be tested that only knows its service's real address. Environment variables name
the proxy and its certificate authority, as in an office whose firewall inspects TLS.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from tempfile import TemporaryDirectory
from threading import Lock, Thread

from trustme import CA

from policenotify.testing.servers import bound_socket

_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"


class TlsTunnel:
    """A proxy (RFC 9110, section 9.3.6) with its own certificate authority.

    Args:
        port: Returns the port that gets the requests, without TLS.
    """

    def __init__(self, port: Callable[[], int]) -> None:
        self._target_port = port
        self._folder = TemporaryDirectory(prefix="policenotify-tunnel-")
        self._authority = CA()
        self._file = Path(self._folder.name, "authority.pem")
        self._authority.cert_pem.write_to_path(self._file)
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._lock = Lock()
        self._server: _Server | None = None
        self._bound = socket.create_server(("127.0.0.1", 0))
        self._port: int = self._bound.getsockname()[1]
        self.accept()

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that send all requests of `requests` here."""
        return {
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), f"http://127.0.0.1:{self._port}"),
            **dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), ""),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), ""),
            **dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), os.fspath(self._file)),
        }

    def refuse(self) -> None:
        """Close the port and every connection, until `accept()`."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()
            self._bound = bound_socket(self._port)  # not listening: the port stays reserved

    def accept(self) -> None:
        """Listen at the same port."""
        if self._server is None:
            self._server = _Server(self._bound, self)

    def close(self) -> None:
        """Close every connection and the port."""
        self.refuse()
        self._bound.close()
        self._folder.cleanup()

    def relay(self, near: socket.socket, register: Callable[[socket.socket], None]) -> None:
        """Serve one client, and pass the encrypted connection to *register*."""
        method, _, rest = _head(near).partition(b" ")
        if method != b"CONNECT":
            return
        host = rest.partition(b":")[0].decode("ascii")
        try:
            far = socket.create_connection(("127.0.0.1", self._target_port()))
        except OSError:
            near.sendall(_BAD_GATEWAY)
            return
        with far:
            near.sendall(_ESTABLISHED)
            with self._context(host).wrap_socket(near, server_side=True) as secured:
                register(secured)
                _relay(secured, far)

    def _context(self, host: str) -> ssl.SSLContext:
        with self._lock:
            if host not in self._contexts:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self._authority.issue_cert(host).configure_cert(context)
                self._contexts[host] = context
            return self._contexts[host]


class _Server(ThreadingTCPServer):
    """The listener. Its threads end with their connections."""

    def __init__(self, bound: socket.socket, tunnel: TlsTunnel) -> None:
        super().__init__(bound.getsockname(), _Conversation, bind_and_activate=False)
        self.socket.close()
        self.socket = bound
        self.server_activate()
        self.tunnel = tunnel
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        self._acceptor = Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._acceptor.start()

    def register(self, connection: socket.socket) -> None:
        """Close this connection, too, at the end."""
        with self._lock:
            self._open.add(connection)

    def stop(self) -> None:
        """Close all connections, and wait for the threads to end."""
        self.shutdown()
        self._acceptor.join()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that disconnect."""


class _Conversation(BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        self.server.register(self.request)
        self.server.tunnel.relay(self.request, self.server.register)


def _head(near: socket.socket) -> bytes:
    """Return a request's head. The client sends nothing more before it is answered."""
    head = b""
    while b"\r\n\r\n" not in head:
        data = near.recv(4096)
        if not data:
            return b""
        head += data
    return head


def _relay(near: ssl.SSLSocket, far: socket.socket) -> None:
    """Forward bytes in both directions until one side ends."""
    while True:
        ready = [near] if near.pending() else select.select([near, far], [], [])[0]
        for source, target in ((near, far), (far, near)):
            if source in ready:
                data = source.recv(65_536)
                if not data:
                    return
                target.sendall(data)
