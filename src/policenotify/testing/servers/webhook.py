"""A fake receiver of webhooks, which verifies each call as *Standard Webhooks* 1.0 prescribes.

```python
with FakeWebhookServer() as server:
    ...                                    # the channel, with server.url and server.secret
    assert server.items[0]["title"] == "Route barrée"
```
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from policenotify.testing.servers.http import Answer, FakeServer, RecordedRequest

_WINDOW: Final = 300  # seconds that a call's time may differ from ours


class FakeWebhookServer(FakeServer):
    """A newsroom's system with one secret.

    Attributes:
        secret: The secret of its calls.
        remembers: It takes a call with a known `webhook-id` only once. If not, it takes each call.
    """

    def __init__(self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__(now=now)
        self.secret: str = "whsec_" + base64.b64encode(b"a secret of the newsroom's").decode()
        self.remembers: bool = True
        self._known: set[str] = set()
        self._items: list[dict[str, Any]] = []
        self.on("POST", "*", self._take)
        self.on("HEAD", "*", self._prove)

    @property
    def items(self) -> tuple[dict[str, Any], ...]:
        """The items that were taken, oldest first. One that was taken down stays, without words."""
        with self._lock:
            return tuple(self._items)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secret, which must appear nowhere."""
        return (self.secret,)

    def verify(self, request: RecordedRequest) -> str:
        """Return why a call is not accepted, or an empty text."""
        stamp = request.headers.get("webhook-timestamp", "")
        if not stamp.isdecimal() or abs(int(stamp) - self._now().timestamp()) > _WINDOW:
            return "the timestamp is too old or too new"
        content = b".".join((request.headers["webhook-id"].encode(), stamp.encode(), request.body))
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        expected = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        signatures = request.headers.get("webhook-signature", "").split()
        return "" if any(hmac.compare_digest(expected, each) for each in signatures) else "no matching signature"

    def _prove(self, request: RecordedRequest) -> Answer:
        return Answer(401 if self.verify(request) else 204)

    def _take(self, request: RecordedRequest) -> Answer:
        if problem := self.verify(request):
            return Answer.json({"error": problem}, 401)
        item, name = request.json(), request.headers["webhook-id"]
        with self._lock:
            if not self.remembers or name not in self._known:
                self._known.add(name)
                if not self.drops_posts:
                    self._store(item)
        return Answer.json({"id": item["key"]})

    def _store(self, item: dict[str, Any]) -> None:
        if item["withdrawn_at"] is None:
            self._items.append(item)
        else:
            self._items = [item if each["key"] == item["key"] else each for each in self._items]
