"""Debian's snac, a server of the Fediverse with Mastodon's API, which ignores Idempotency-Key."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx

from tests.acceptance.peers.programs import Running, ended, listens, program
from tests.support.ports import free_port

_SETTINGS: Final = {"protocol": "http", "num_threads": 16}  # with four, its own errands make readers wait
_NOWHERE: Final = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "no_proxy": "localhost"}
_SCOPES: Final = "read write"
_HERE: Final = "urn:ietf:wg:oauth:2.0:oob"  # RFC 6749 knows it not; Mastodon's way of showing a code to a person


@dataclass(frozen=True)
class SeenToot:
    """A post as the server returns it."""

    id: str
    text: str
    visibility: str
    parent: str | None
    pictures: tuple[tuple[str, bytes], ...] = field(repr=False)


class Account:
    """An account on the server."""

    def __init__(self, url: str, handle: str, token: str) -> None:
        self.url, self.handle, self.token = url, handle, token
        self._read: dict[tuple[str, str | None], SeenToot] = {}

    @property
    def posts(self) -> list[SeenToot]:
        """Its posts, oldest first."""
        me = self.ask("/api/v1/accounts/verify_credentials")["id"]
        return [self._seen(each) for each in reversed(self.ask(f"/api/v1/accounts/{me}/statuses?limit=40"))]

    def _seen(self, told: Any) -> SeenToot:
        version = (told["id"], told.get("edited_at"))
        if version not in self._read:
            self._read[version] = self._looked_at(told)
        return self._read[version]

    def _looked_at(self, told: Any) -> SeenToot:
        return SeenToot(
            id=told["id"],
            text=self.ask(f"/api/v1/statuses/{told['id']}/source")["text"],
            visibility=told["visibility"],
            parent=told["in_reply_to_id"],
            pictures=tuple(
                (each["description"], _called(f"{self.url}{urlsplit(each['url']).path}"))
                for each in told["media_attachments"]
            ),
        )

    def ask(self, path: str) -> Any:
        """Call the server as the account."""
        return json.loads(_called(f"{self.url}{path}", headers={"Authorization": f"Bearer {self.token}"}))


class Snac:
    """snac on the loopback, whose users grant a token in the browser."""

    def __init__(self) -> None:
        self._snac = program("snac", "apt-get install --no-install-recommends snac2")
        folder = Path(tempfile.mkdtemp(prefix="pn-snac-"))
        port = free_port()
        self._data = folder / "data"
        _output_of(self._snac, "init", self._data, said=f"127.0.0.1\n{port}\nlocalhost:{port}\n\n\n")
        settings = json.loads((self._data / "server.json").read_text("utf-8"))
        (self._data / "server.json").write_text(json.dumps(settings | _SETTINGS), "utf-8")
        self.folder, self.port, self.url = folder, port, f"http://localhost:{port}"
        self._running = Running(self._snac, "httpd", self._data, folder=folder, env=_NOWHERE)
        self._running.until(lambda: listens(port))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        ended([self._running], self.folder)

    def account(self, handle: str) -> Account:
        """A new account, and a token for it."""
        said = _output_of(self._snac, "adduser", self._data, said=f"{handle}\n")
        password = re.findall(r"password is (\S+)", said)[0]
        app = self._asked("/api/v1/apps", client_name="desk", redirect_uris=_HERE, scopes=_SCOPES)
        keys = {"client_id": app["client_id"], "client_secret": app["client_secret"], "redirect_uri": _HERE}
        asked = {**keys, "response_type": "code", "scope": _SCOPES}
        page = _called(f"{self.url}/oauth/authorize", params=asked).decode()
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
        login = {**fields, "login": handle, "passwd": password}
        shown = _called(f"{self.url}/oauth/x-snac-login", data=login).decode()
        [code] = re.findall(r"\b[0-9a-f]{32}\b", shown)[:1]
        token = self._asked("/oauth/token", **keys, code=code, grant_type="authorization_code")["access_token"]
        return Account(self.url, handle, token)

    def _asked(self, path: str, **fields: str) -> Any:
        return json.loads(_called(f"{self.url}{path}", data=fields))


def _called(url: str, **how: Any) -> bytes:
    """Return the answer's body. A form is posted."""
    answer = httpx.request("POST" if "data" in how else "GET", url, trust_env=False, follow_redirects=True, **how)
    return answer.raise_for_status().content


def _output_of(*command: str | Path, said: str) -> str:
    done = subprocess.run(command, input=said, check=True, capture_output=True, text=True, timeout=60)  # noqa: S603 - named by us
    return done.stdout
