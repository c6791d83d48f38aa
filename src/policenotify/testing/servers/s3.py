"""A fake object store with the calls of S3 that a feed needs.

```python
with FakeS3Server() as server:
    ...                                    # the client, at server.url
    assert server.objects["feed.atom"].startswith(b"<?xml")
```
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import md5
from html import escape, unescape
from re import findall
from threading import RLock
from urllib.parse import unquote

from policenotify.testing.servers.http import Answer, FakeServer, RecordedRequest

_XML = {"Content-Type": "application/xml"}


class FakeS3Server(FakeServer):
    """One bucket (docs.aws.amazon.com/AmazonS3/latest/API).

    Attributes:
        bucket: Its name.
        access_key: The id of the key that may use it.
        secret_key: The key. Signatures are not checked.
        objects: What it holds, by name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bucket: str = "alertes"
        self.access_key: str = "AKIAFEED"
        self.secret_key: str = "the-secret-of-the-bucket"  # noqa: S105 - a fake one
        self.objects: dict[str, bytes] = {}
        self._lock = RLock()
        for method in ("GET", "PUT", "DELETE", "POST"):
            self.on(method, "*", self._answer)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The key, which must appear nowhere."""
        return (self.secret_key,)

    def _answer(self, request: RecordedRequest) -> Answer:
        name = unquote(request.path.split("?")[0]).removeprefix(f"/{self.bucket}").lstrip("/")
        if f"Credential={self.access_key}/" not in request.headers.get("Authorization", ""):
            return _error("AccessDenied", 403)
        with self._lock:
            if request.method == "PUT":
                return self._put(name, request)
            if request.method == "DELETE":
                self.objects.pop(name, None)
                return Answer(204)
            if request.method == "POST":  # of several at once: DeleteObjects
                keys = findall(r"<Key>([^<]*)</Key>", request.body.decode())
                for key in keys:
                    self.objects.pop(unescape(key), None)
                deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
                return Answer(200, f"<DeleteResult>{deleted}</DeleteResult>".encode(), _XML)
            if not name:
                return self._list(request.query)
            content = self.objects.get(name)
            return _error("NoSuchKey", 404) if content is None else Answer(200, content, _head(content))

    def _put(self, name: str, request: RecordedRequest) -> Answer:
        if request.headers.get("If-None-Match") == "*" and name in self.objects:
            return _error("PreconditionFailed", 412)
        if not self.drops_posts:
            self.objects[name] = request.body
        return Answer(200, b"", _head(request.body))

    def _list(self, query: Mapping[str, list[str]]) -> Answer:
        prefix = query.get("prefix", [""])[0]
        names = [name for name in sorted(self.objects) if name.startswith(prefix)]
        below = sorted(
            {prefix + name[len(prefix) :].partition("/")[0] + "/" for name in names if "/" in name[len(prefix) :]}
        )
        files = "".join(
            f"<Contents><Key>{escape(name)}</Key><Size>{len(self.objects[name])}</Size>"
            f"<LastModified>2026-03-02T06:30:00.000Z</LastModified><ETag>{_tag(self.objects[name])}</ETag></Contents>"
            for name in names
            if "/" not in name[len(prefix) :]
        )
        folders = "".join(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in below)
        body = f"<ListBucketResult><IsTruncated>false</IsTruncated>{files}{folders}</ListBucketResult>"
        return Answer(200, body.encode(), _XML)


def _tag(content: bytes) -> str:
    return f'"{md5(content, usedforsecurity=False).hexdigest()}"'


def _head(content: bytes) -> dict[str, str]:
    return {"ETag": _tag(content), "Last-Modified": "Mon, 02 Mar 2026 06:30:00 GMT"}


def _error(code: str, status: int) -> Answer:
    return Answer(status, f"<Error><Code>{code}</Code></Error>".encode(), _XML)
