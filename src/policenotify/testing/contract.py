"""The contract of a network as tests to inherit: one class of yours, about eight lines, and every promise is tried."""

from __future__ import annotations

from policenotify.testing._contract_always import AskedOfAll
from policenotify.testing._contract_claimed import AskedOfThoseWhoClaim


class ChannelContract(AskedOfAll, AskedOfThoseWhoClaim):
    '''Every promise of a channel, tried on the wire. Inherit it; the promises are the tests' docstrings.

    What the channel does not claim in its [`Abilities`][policenotify.channel.Abilities] is not asked: such tests are
    not collected, so that a test report lists what was proven, and nothing else. A promise that a network cannot keep
    is struck out in so many words, with the reason: `test_asking_who_we_are_proves_the_credentials = None`.

    A whole network, in a package of yours (`policenotify_ntfy.py`):

    ```python
    """Topics on ntfy servers."""

    import requests
    from policenotify.channel import Abilities, Account, Clock, Post, PostRef, Request
    from policenotify.text import Budget, utf8_bytes
    from policenotify.wire import error_for_exception, error_for_status
    from pydantic import SecretStr


    class Ntfy:
        """A topic on an ntfy server."""

        abilities = Abilities(budget=Budget(4096, utf8_bytes), title=True)

        def __init__(self, *, server: str, topic: str, token: SecretStr, timeout: float = 10.0, clock: Clock) -> None:
            self.account, self._topic, self._server = f"{server}/{topic}", topic, server
            self._timeout, self._clock, self._http = timeout, clock, requests.Session()
            self._http.headers["Authorization"] = f"Bearer {token.get_secret_value()}"

        def prepare(self, post: Post, answers: tuple[PostRef, ...]) -> Request:
            body = {"topic": self._topic, "title": post.title, "message": post.text}
            return Request(account=self.account, key=post.key, body=body)

        def send(self, request: Request) -> PostRef:
            return PostRef(account=self.account, id=self._ask("POST", self._server, json=dict(request.body))["id"])

        def whoami(self) -> Account:
            self._ask("GET", f"{self.account}/auth")
            return Account(id=self.account, name=self._topic)

        def close(self) -> None:
            self._http.close()

        def _ask(self, method: str, url: str, **body: object) -> dict[str, str]:
            try:
                answer = self._http.request(method, url, timeout=self._timeout, allow_redirects=False, **body)
                if answer.status_code == 200:
                    return answer.json()
            except requests.RequestException as error:
                raise error_for_exception(error, where="ntfy") from None
            raise error_for_status(answer.status_code, answer.headers, now=self._clock.now(), where="ntfy")
    ```

    Its test:

    ```python
    from policenotify.testing import Answer, ChannelContract
    from policenotify_ntfy import Ntfy
    from pydantic import SecretStr


    class TestNtfy(ChannelContract):
        accepts = Answer.json({"id": "abc"})
        secrets = ("t0ken",)

        def open(self, wire):
            return Ntfy(server=wire.url, topic="police", token=SecretStr("t0ken"), timeout=0.2, clock=wire.clock)
    ```

    Attributes:
        accepts: What the network answers to a post, for networks of one HTTP call; others override `make_wire`.
        secrets: What must never be seen: passwords and tokens, as `open` hands them over.
        patience: Seconds that a call may take when no answer comes; the channel's own timeout must be well below.
    '''
