"""A connection to a mail server that can be cut before or after the server has the mail."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import BinaryIO, Self

from policenotify.testing import Fault
from tests.support.patience import PATIENCE


class SmtpRelay:
    """A port on the loopback in front of the mail server, which can fail for the next mail."""

    host = "127.0.0.1"

    def __init__(self, server: int) -> None:
        self._server = server
        self._trouble: Fault | None = None
        self._open: list[socket.socket] = []
        self.port = 0

    def __enter__(self) -> Self:
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def fail_next(self, trouble: Fault) -> None:
        """Let the next mail fail, or with `UNREACHABLE` close the port and every connection."""
        if trouble is Fault.UNREACHABLE:
            self._close()
        else:
            self._trouble = trouble

    def recover(self) -> None:
        """End every trouble."""
        self._trouble = None
        if self._listener.fileno() == -1:
            self._listen()

    def _listen(self) -> None:
        self._over = threading.Event()
        self._listener = socket.create_server((self.host, self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _close(self) -> None:
        self._over.set()
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection((self.host, self._server))
                self._open += [near, far]
                threading.Thread(target=self._serve, args=(near, far), daemon=True).start()

    def _serve(self, near: socket.socket, far: socket.socket) -> None:
        """Pass on the dialogue, one command after the other, also where the client has sent several at once."""
        with near, far, near.makefile("rb") as client, far.makefile("rb") as server, suppress(OSError):
            near.sendall(_reply(server))
            for line in client:
                far.sendall(line)
                reply = _reply(server)
                near.sendall(reply)
                if line.upper() == b"DATA\r\n" and reply.startswith(b"354"):
                    reply = self._pass_mail(client, far, server)
                    near.sendall(reply)
                if not reply:
                    return

    def _pass_mail(self, client: BinaryIO, far: socket.socket, server: BinaryIO) -> bytes:
        mail = bytearray()
        for line in client:
            mail += line
            if line == b".\r\n":
                break
        else:
            return b""  # the client has given the mail up, and so must the server
        trouble, self._trouble = self._trouble, None
        if trouble is Fault.NO_RESPONSE:
            far.shutdown(socket.SHUT_RDWR)  # the server has the mail, and its answer is lost
            self._over.wait(PATIENCE)
        if trouble in {Fault.NO_RESPONSE, Fault.DISCONNECTED}:
            return b""
        far.sendall(mail)
        reply = _reply(server)
        return b"" if trouble is Fault.DISCONNECTED_AFTER else reply


def _reply(server: BinaryIO) -> bytes:
    """Return one whole reply (RFC 5321, section 4.2.1), or nothing if the server has disconnected."""
    lines = bytearray()
    for line in server:
        lines += line
        if line[3:4] != b"-":
            break
    return bytes(lines)
