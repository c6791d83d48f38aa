"""Debian's Kannel, an SMS gateway, in a folder of its own, before our message centre."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final, Self

from tests.acceptance.peers.programs import Running, ended, listens, program
from tests.acceptance.peers.sms_centre import Centre
from tests.support.ports import free_port

_APT: Final = "apt-get install --no-install-recommends kannel"

_SETTINGS: Final = """
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = {password}
smsbox-port = {box}
smsbox-interface = 127.0.0.1
box-allow-ip = "127.0.0.1"
dlr-storage = internal

group = smsc
smsc = smpp
smsc-id = CENTRE
host = 127.0.0.1
port = {centre}
transceiver-mode = true
smsc-username = kannel
smsc-password = {secret}
system-type = ""
source-addr-ton = 5
source-addr-npi = 0
reconnect-delay = 1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {http}
sendsms-interface = 127.0.0.1

group = sendsms-user
username = desk
password = {password}
concatenation = true
max-messages = 8
black-list-regex = "999$"

group = sms-service
keyword = default
text = "ok"
max-messages = 0
"""


class Kannel:
    """The gateway. It refuses numbers that end in 999, and its centre those in 888."""

    path = "/cgi-bin/sendsms"
    password = "pa55word"

    def __init__(self) -> None:
        bearerbox, smsbox = program("bearerbox", _APT), program("smsbox", _APT)
        self.folder = Path(tempfile.mkdtemp(prefix="pn-kannel-"))
        self.port, box, admin, centre = (free_port() for _ in range(4))
        values = {"admin": admin, "box": box, "centre": centre, "http": self.port}
        settings = self.folder / "kannel.conf"
        settings.write_text(_SETTINGS.format(**values, password=self.password, secret=Centre.password), "utf-8")
        self.centre = Centre(centre)
        self._running = [Running(bearerbox, "-v", "2", settings, folder=self.folder)]
        self._running[0].until(lambda: listens(box))
        self._running.append(Running(smsbox, "-v", "2", settings, folder=self.folder))
        self._running[1].until(lambda: listens(self.port))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        ended(self._running, self.folder)
        self.centre.close()
