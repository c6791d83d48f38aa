"""A fake server as the proxy of an office whose firewall inspects TLS: an unmodified client finds it at any address."""

from __future__ import annotations

import socket
import ssl
from functools import cached_property
from tempfile import TemporaryDirectory
from threading import current_thread

from trustme import CA

from policenotify.testing.servers.http import FakeServer, _Handler, _Server


class TlsTunnel(FakeServer):
    """A fake server, or a mixin of one, that clients reach at addresses that are built into them."""

    _folder: TemporaryDirectory[str] | None = None

    @cached_property
    def authority(self) -> CA:
        """The certificate authority of the office."""
        return CA()

    def close(self) -> None:
        super().close()
        if self._folder:
            self._folder.cleanup()

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables by which a client finds this server at every https address, and trusts it."""
        self._folder = self._folder or TemporaryDirectory(prefix="policenotify-authority-")
        file = f"{self._folder.name}/authority.pem"
        self.authority.cert_pem.write_to_path(file)
        return {
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), self.url),
            **dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"), ""),
            **dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), file),
        }

    def _listen(self, bound: socket.socket) -> _Server:
        server = super()._listen(bound)
        server.RequestHandlerClass = type("Handler", (_TunnelHandler,), {"authority": self.authority})
        return server


class _TunnelHandler(_Handler):
    """A connection that may ask for an https address first (RFC 9110, section 9.3.6)."""

    authority: CA

    def do_CONNECT(self) -> None:  # noqa: N802 - the parent's name
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(self.path.partition(":")[0]).configure_cert(context)
        self.send_response_only(200)
        self.end_headers()
        self.rfile.close()
        self.request = context.wrap_socket(self.connection, server_side=True)
        self.server._handlers[current_thread()] = self.request  # which `close()` shuts
        self.setup()
        self.close_connection = False

    def finish(self) -> None:
        super().finish()
        self.connection.close()
