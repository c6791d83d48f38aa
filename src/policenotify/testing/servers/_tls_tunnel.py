"""A proxy on the loopback that leads every https address to one port here, so that nothing reaches the outside.

A client library that knows only its service's true address can be tried unmodified: it is told of the proxy and of the
proxy's certificate authority in the environment, as in an office whose firewall looks into TLS.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from tempfile import TemporaryDirectory
from threading import Lock, Thread

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_NOBODY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"


class TlsTunnel:
    """The proxy (CONNECT: RFC 9110, section 9.3.6), its authority, and what a client must know of both.

    Args:
        port: Tells where requests are led, without TLS.
    """

    def __init__(self, port: Callable[[], int]) -> None:
        self._lead_to = port
        self._folder = TemporaryDirectory(prefix="policenotify-tunnel-")
        self._authority = _Authority(Path(self._folder.name))
        self._server: _Server | None = None
        self._bound = socket.create_server(("127.0.0.1", 0))
        self._port: int = self._bound.getsockname()[1]
        self.accept()

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that lead `requests` and its like here, and nowhere else."""
        authority = os.fspath(self._authority.file)
        return {
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), f"http://127.0.0.1:{self._port}"),
            **dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), ""),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), ""),
            **dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), authority),
        }

    def refuse(self) -> None:
        """Close the port and every connection, until `accept()`."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()
            self._bound = socket.socket()  # bound, not listening: nobody else gets the port meanwhile
            self._bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._bound.bind(("127.0.0.1", self._port))

    def accept(self) -> None:
        """Listen again, at the same port."""
        if self._server is None:
            self._server = _Server(self._bound, self)

    def close(self) -> None:
        """Cut every connection, and go."""
        self.refuse()
        self._bound.close()
        self._folder.cleanup()

    def lead(self, near: socket.socket, know: Callable[[socket.socket], None]) -> None:
        """Serve one client; *know* is told of the connection once it is encrypted."""
        asked = _head(near)
        method, _, rest = asked.partition(b" ")
        if method != b"CONNECT":
            return
        host = rest.partition(b":")[0].decode("ascii")
        try:
            far = socket.create_connection(("127.0.0.1", self._lead_to()))
        except OSError:
            near.sendall(_NOBODY)
            return
        with far:
            near.sendall(_ESTABLISHED)
            with self._authority.context(host).wrap_socket(near, server_side=True) as secured:
                know(secured)
                _relay(secured, far)


class _Server(ThreadingTCPServer):
    """The listener; its threads end with their connections."""

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

    def know(self, connection: socket.socket) -> None:
        """Cut this one, too, at the end."""
        with self._lock:
            self._open.add(connection)

    def stop(self) -> None:
        """Cut what is still open, and wait for the threads to end."""
        self.shutdown()
        self._acceptor.join()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that went away are everyday here."""


class _Conversation(BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        self.server.know(self.request)
        self.server.tunnel.lead(self.request, self.server.know)


class _Authority:
    """Makes a certificate for each host that is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._private = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("The stand's own authority")
        identifier = x509.SubjectKeyIdentifier.from_public_key(self._private.public_key())
        own = (
            _certificate(self._name, self._private, self._name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(identifier, critical=False)
            .sign(self._private, SHA256())
        )
        self.file = folder / "authority.pem"
        self.file.write_bytes(own.public_bytes(Encoding.PEM))

    def context(self, host: str) -> ssl.SSLContext:
        """A server's side for that host."""
        with self._lock:
            if host not in self._contexts:
                self._contexts[host] = self._made(host)
            return self._contexts[host]

    def _made(self, host: str) -> ssl.SSLContext:
        private = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._private.public_key())
        certificate = (
            _certificate(_name("A host that the stand plays"), private, self._name)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(issuer, critical=False)
            .sign(self._private, SHA256())
        )
        file = self._folder / f"{len(self._contexts)}.pem"
        key = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(key + certificate.public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(subject: x509.Name, private: ec.EllipticCurvePrivateKey, issuer: x509.Name) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(issuer, subject, private.public_key(), x509.random_serial_number())
    return builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _head(near: socket.socket) -> bytes:
    """A request's head; the client says nothing more before it has its answer."""
    head = b""
    while b"\r\n\r\n" not in head:
        got = near.recv(4096)
        if not got:
            return b""
        head += got
    return head


def _relay(near: ssl.SSLSocket, far: socket.socket) -> None:
    """Pass bytes on in both directions until one side ends."""
    while True:
        ready = [near] if near.pending() else select.select([near, far], [], [])[0]
        for one, other in ((near, far), (far, near)):
            if one in ready:
                got = one.recv(65_536)
                if not got:
                    return
                other.sendall(got)
