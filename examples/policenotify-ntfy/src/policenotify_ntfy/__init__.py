"""Topics on ntfy servers: a whole network for policenotify."""

import json

import requests
from pydantic import SecretStr

from policenotify.channel import Account, Capabilities, Clock, Post, PostRef, Request
from policenotify.errors import SettingsError
from policenotify.text import Budget, utf8_bytes
from policenotify.transport import error_for_exception, error_for_status, is_secure_url


class Ntfy:
    """A topic on an ntfy server (docs.ntfy.sh): every phone that subscribes to it rings.

    Args:
        topic: Its name.
        token: An access token that may read and write it.
        server: Where it is.
        timeout: Seconds to wait for a connection, and again for each piece of an answer.
        clock: Time, handed in.

    Raises:
        SettingsError: The token would go over the network in the clear.
    """

    capabilities = Capabilities(
        budget=Budget(4095, utf8_bytes), title=True, hashtags=False
    )  # a longer one becomes a file

    def __init__(
        self, *, topic: str, token: SecretStr, server: str = "https://ntfy.sh", timeout: float = 10.0, clock: Clock
    ) -> None:
        if not is_secure_url(server):
            raise SettingsError("server: must be https://…, for the token is sent there")
        self._server, self._topic = server.rstrip("/"), topic
        self.account = f"{self._server}/{topic}"
        self._timeout, self._clock, self._http = timeout, clock, requests.Session()
        self._http.headers["Authorization"] = f"Bearer {token.get_secret_value()}"

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        """Put it into ntfy's words: what opens an incident rings louder than what follows."""
        priority = 4 if post.stage == "opening" else 3  # docs.ntfy.sh, "Message priority": high, default
        body = {"topic": self._topic, "title": post.title, "message": post.text, "priority": priority}
        return Request(account=self.account, key=post.key, body=body | ({"click": post.link} if post.link else {}))

    def send(self, request: Request) -> PostRef:
        """Publish it, once."""
        body = json.dumps(dict(request.body), ensure_ascii=False)  # escaped it would be more than ntfy reads
        return PostRef(account=self.account, id=self._ask("POST", self._server, body.encode())["id"])

    def whoami(self) -> Account:
        """Ask whether the token opens the topic."""
        self._ask("GET", f"{self.account}/auth")
        return Account(id=self.account, name=self._topic)

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    def _ask(self, method: str, url: str, body: bytes = b"") -> dict[str, str]:
        try:
            answer = self._http.request(method, url, data=body, timeout=self._timeout, allow_redirects=False)
            if answer.status_code == requests.codes.ok:
                return dict(answer.json())
        except requests.RequestException as error:
            raise error_for_exception(error, where="ntfy") from None
        raise error_for_status(answer.status_code, answer.headers, now=self._clock.now(), where="ntfy")
