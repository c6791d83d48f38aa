"""Topics on ntfy servers: a complete network for policenotify."""

import json

import requests

from policenotify.channel import Account, Capabilities, Post, PostRef, Request, Services
from policenotify.networks.options import CallSeconds, ChannelOptions, Secret, SecureUrl
from policenotify.text import Budget, utf8_bytes
from policenotify.transport import error_for_exception, error_for_status


class Ntfy:
    """A topic on an ntfy server (docs.ntfy.sh), which rings the phones that subscribe to it."""

    # A longer text becomes a file.
    capabilities = Capabilities(budget=Budget(4095, utf8_bytes), title=True, hashtags=False)

    class Options(ChannelOptions):
        """The options of a channel in the settings."""

        topic: str
        """The topic's name."""
        token: Secret
        """An access token that may read and write the topic."""
        server: SecureUrl = "https://ntfy.sh"
        """The URL of the server."""
        timeout: CallSeconds = 10.0
        """Seconds to wait for a connection, and again for each part of an answer."""

    def __init__(self, options: Options, services: Services) -> None:
        self._server, self._topic = options.server, options.topic
        self.account = f"{options.server}/{options.topic}"
        self._timeout, self._clock, self._http = options.timeout, services.clock, requests.Session()
        self._http.headers["Authorization"] = f"Bearer {options.token.get_secret_value()}"

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        """Return the request of a post. An opening has a higher priority than later messages."""
        priority = 4 if post.stage == "opening" else 3  # docs.ntfy.sh, "Message priority": high, default
        body = {"topic": self._topic, "title": post.title, "message": post.text, "priority": priority}
        return Request(account=self.account, key=post.key, body=body | ({"click": post.link} if post.link else {}))

    def send(self, request: Request) -> PostRef:
        """Publish the post once."""
        body = json.dumps(dict(request.body), ensure_ascii=False)  # escaped it could exceed the limit of ntfy
        return PostRef(account=self.account, id=self._call("POST", self._server, body.encode())["id"])

    def whoami(self) -> Account:
        """Check the token's access to the topic."""
        self._call("GET", f"{self.account}/auth")
        return Account(id=self.account, name=self._topic)

    def close(self) -> None:
        """Close connections."""
        self._http.close()

    def _call(self, method: str, url: str, body: bytes = b"") -> dict[str, str]:
        try:
            answer = self._http.request(method, url, data=body, timeout=self._timeout, allow_redirects=False)
            if answer.status_code == requests.codes.ok:
                return dict(answer.json())
        except requests.RequestException as error:
            raise error_for_exception(error, where="ntfy") from None
        raise error_for_status(answer.status_code, answer.headers, now=self._clock.now(), where="ntfy")
