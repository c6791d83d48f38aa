"""A fake Bluesky server (PDS): one account and its records, as readers see them.

It answers as `@atproto/pds` does wherever a client notices the difference: existing record keys, `swapRecord`, expired
sessions, uploads, limits, and the exact texts of refusals. Posts are checked by the lexicon `app.bsky.feed.post`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from policenotify.testing.servers import VisibleImage, thread_of
from policenotify.testing.servers._bluesky_lexicon import blobs, key_refusal, post_refusal
from policenotify.testing.servers.http import Answer, FakeServer, RecordedRequest, Refusal

_POSTS = "app.bsky.feed.post"
_MAGIC = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"GIF8": "image/gif"}
_BLOB_LIMIT = 5 * 1024 * 1024  # PDS_BLOB_UPLOAD_LIMIT's default
_WRITES = 5000  # points in an hour (docs.bsky.app, "Rate limits"): a put costs 2, a delete 1
_LOGINS = 30  # in 5 minutes, for one account (ibid.)
_CLOSED = {
    "takendown": ("AccountTakedown", "Account has been taken down"),
    "suspended": ("AccountSuspended", "Account has been suspended"),
    "deactivated": ("AccountDeactivated", "Account is deactivated"),
}


class FakeBlueskyServer(FakeServer):
    """A fake personal data server (PDS) with one account.

    Args:
        handle: The account's handle.
        password: Its app password.
        did: Its permanent id.
        now: The server's time.

    Attributes:
        email: The owner's address, which the server returns after a login.
        closed: The reason why the account may not log in or write, or `None`.
        pds: The URL in the account's DID document. `None`: the URL of this server.
        logins: Number of login attempts.
        refreshes: Number of session renewals.
        logins_left: Logins left before a 429.
        points_left: Points left for writes before a 429.
        commits: Number of changes of the records.
    """

    def __init__(
        self,
        handle: str = "police.example",
        password: str = "abcd-efgh-ijkl-mnop",  # noqa: S107 - not a secret
        *,
        did: str = "did:plc:server",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(now=now)
        self.handle = handle
        self.password = password
        self.did = did
        self.email: str = f"desk@{handle}"
        self.closed: Literal["takendown", "suspended", "deactivated"] | None = None
        self.pds: str | None = None
        self.logins: int = 0
        self.refreshes: int = 0
        self.logins_left: int = _LOGINS
        self.points_left: int = _WRITES
        self.commits: int = 0
        self._tokens: dict[str, Literal["access", "refresh", "expired", "revoked"]] = {}
        self._records: dict[str, dict[str, Any]] = {}
        self._blobs: dict[str, tuple[str, bytes]] = {}
        for method, name, answer in (
            ("POST", "com.atproto.server.createSession", self._create_session),
            ("POST", "com.atproto.server.refreshSession", self._refresh_session),
            ("GET", "com.atproto.server.getSession", self._get_session),
            ("GET", "com.atproto.identity.resolveHandle", self._resolve_handle),
            ("POST", "com.atproto.repo.uploadBlob", self._upload_blob),
            ("POST", "com.atproto.repo.putRecord", self._put_record),
            ("GET", "com.atproto.repo.getRecord", self._get_record),
            ("POST", "com.atproto.repo.deleteRecord", self._delete_record),
        ):
            self.on(method, f"/xrpc/{name}", answer)

    @property
    def posts(self) -> tuple[VisibleBlueskyPost, ...]:
        """All posts as readers see them, oldest first."""
        with self._lock:
            uris = [uri for uri in self._records if f"/{_POSTS}/" in uri]
            posts = [read_post(uri, _record_cid(self._records[uri]), self._records[uri], self._blobs) for uri in uris]
        return tuple(sorted(posts, key=lambda post: (post.created_at, post.uri)))

    def thread(self, uri: str) -> tuple[VisibleBlueskyPost, ...]:
        """Return the thread of the post at *uri*.

        A post whose `root` is another one is not part of it, even if its `parent` is.
        """
        return thread_of([post for post in self.posts if uri in {post.uri, post.root}], uri)

    @property
    def profile(self) -> tuple[VisibleBlueskyPost, ...]:
        """Posts on the account's page: without replies whose parent is missing.

        The network does the same (`posts_and_author_threads` of `app.bsky.feed.getAuthorFeed`).
        """
        return thread_of(self.posts)

    def remove(self, uri: str) -> None:
        """Delete a post as if by hand."""
        with self._lock:
            del self._records[uri]

    def expire_access(self) -> None:
        """Expire every access token, as after two hours."""
        self._mark("access", "expired")

    def revoke_refresh(self) -> None:
        """Revoke every refresh token, as after 90 days or with the app password."""
        self._mark("refresh", "revoked")

    def forget_blobs(self) -> None:
        """Delete the uploads that no record uses, as after some hours."""
        with self._lock:
            used = {blob["ref"]["$link"] for record in self._records.values() for blob in blobs(record)}
            self._blobs = {cid: blob for cid, blob in self._blobs.items() if cid in used}

    def write(self, record: Mapping[str, Any], rkey: str) -> str:
        """Store a record as if by hand, without checks, and return its URI."""
        uri = f"at://{self.did}/{_POSTS}/{rkey}"
        with self._lock:
            self._records[uri] = dict(record)
        return uri

    @property
    def secrets(self) -> tuple[str, ...]:
        """The password, the address and every token, which must appear nowhere."""
        with self._lock:
            return self.password, self.email, *self._tokens

    def _mark(self, kind: str, as_: Literal["expired", "revoked"]) -> None:
        with self._lock:
            self._tokens = {token: as_ if is_ == kind else is_ for token, is_ in self._tokens.items()}

    def _create_session(self, request: RecordedRequest) -> Answer:
        self.logins += 1
        self.logins_left -= 1
        if self.logins_left < 0:
            raise _limited(300)
        body = request.json()
        if body.get("identifier") not in {self.handle, self.did} or body.get("password") != self.password:
            raise _refused(401, "AuthenticationRequired", "Invalid identifier or password")
        return self._session()

    def _refresh_session(self, request: RecordedRequest) -> Answer:
        if request.body:
            raise _refused(400, "InvalidRequest", "A request body was provided when none was expected")
        self._check_token(request, "refresh")
        answer = self._session()  # the used token stays valid for two hours
        self.refreshes += 1
        return answer

    def _session(self) -> Answer:
        if self.closed in {"takendown", "suspended"}:
            raise _refused(401, *_CLOSED[self.closed])
        tokens = {"accessJwt": self._token("access"), "refreshJwt": self._token("refresh")}
        service = {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": self.pds or self.url}
        document = {"id": self.did, "alsoKnownAs": [f"at://{self.handle}"], "service": [service]}
        return Answer.json(self._account() | tokens | {"didDoc": document})

    def _get_session(self, request: RecordedRequest) -> Answer:
        self._check_token(request, "access")
        return Answer.json(self._account())

    def _account(self) -> dict[str, Any]:
        status = {"status": self.closed} if self.closed else {}
        return {"did": self.did, "handle": self.handle, "email": self.email, "active": self.closed is None} | status

    def _token(self, kind: Literal["access", "refresh"]) -> str:
        """Return a token that looks like a JWT (RFC 7519)."""
        now = int(self._now().timestamp())
        scope, lifetime = ("com.atproto.appPass", 7200) if kind == "access" else ("com.atproto.refresh", 90 * 86400)
        claims = {"scope": scope, "sub": self.did, "iat": now, "exp": now + lifetime, "jti": str(len(self._tokens))}
        parts = [json.dumps(part).encode() for part in ({"typ": "at+jwt", "alg": "HS256"}, claims)]
        parts.append(hashlib.sha256(parts[1]).digest())
        token = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
        self._tokens[token] = kind
        return token

    def _check_token(self, request: RecordedRequest, kind: Literal["access", "refresh"]) -> None:
        scheme, _, token = (request.headers["Authorization"] or "").partition(" ")
        if scheme != "Bearer":
            raise _refused(401, "AuthMissing", "Authentication Required")
        state = self._tokens.get(token)
        if state == "expired":
            raise _refused(400, "ExpiredToken", "Token has expired")
        if state == "revoked":
            raise _refused(400, "ExpiredToken", "Token has been revoked")
        if state != kind:
            raise _refused(400, "InvalidToken", "Token could not be verified")

    def _check_write(self, request: RecordedRequest, cost: int) -> dict[str, Any]:
        """Return the body of a write by the owner. A refused one costs points, too."""
        self._check_token(request, "access")
        if self.closed:
            raise _refused(401, *_CLOSED[self.closed])
        if self.points_left < cost:
            raise _limited(3600)
        self.points_left -= cost
        body: dict[str, Any] = request.json()
        if body["repo"] not in {self.did, self.handle}:
            raise _refused(403, "AccountNotFound", "Account not found")
        return body

    def _resolve_handle(self, request: RecordedRequest) -> Answer:
        if request.query["handle"][0] != self.handle:
            raise _refused(400, "HandleNotFound", "Unable to resolve handle")
        return Answer.json({"did": self.did})

    def _upload_blob(self, request: RecordedRequest) -> Answer:
        self._check_token(request, "access")
        if len(request.body) > _BLOB_LIMIT:
            raise _refused(413, "PayloadTooLarge", "request entity too large")
        sniffed = next((kind for magic, kind in _MAGIC.items() if request.body.startswith(magic)), None)
        kind = sniffed or request.headers["Content-Type"] or "application/octet-stream"
        cid = _cid(0x55, request.body)
        self._blobs[cid] = (kind, request.body)
        blob = {"$type": "blob", "ref": {"$link": cid}, "mimeType": kind, "size": len(request.body)}
        return Answer.json({"blob": blob})

    def _put_record(self, request: RecordedRequest) -> Answer:
        body = self._check_write(request, 2)
        rkey, record = body["rkey"], {"$type": body["collection"], **body["record"]}
        if refusal := key_refusal(rkey) or post_refusal(record):
            raise _refused(400, "InvalidRequest", refusal)
        uri = f"at://{self.did}/{body['collection']}/{rkey}"
        cid, old = _record_cid(record), self._records.get(uri)
        result: dict[str, Any] = {"uri": uri, "cid": cid, "validationStatus": "valid"}
        old_cid = None if old is None else _record_cid(old)
        if old_cid == cid:
            return Answer.json(result)  # nothing changes: no commit
        if "swapRecord" in body and body["swapRecord"] != old_cid:
            raise _refused(400, "InvalidSwap", f"Record was at {old_cid or 'null'}")
        for blob in blobs(record):
            if blob["ref"]["$link"] not in self._blobs:
                raise _refused(400, "BlobNotFound", f"Could not find blob: {blob['ref']['$link']}")
        if not self.drops_posts:
            self._records[uri] = record
        return Answer.json({**result, "commit": self._commit(uri)})

    def _get_record(self, request: RecordedRequest) -> Answer:
        repo, collection, rkey = (request.query[name][0] for name in ("repo", "collection", "rkey"))
        if repo not in {self.did, self.handle} or self.closed:
            raise _refused(400, "InvalidRequest", "Could not locate record")
        uri = f"at://{self.did}/{collection}/{rkey}"
        record = self._records.get(uri)
        if record is None:
            raise _refused(400, "RecordNotFound", f"Could not locate record: {uri}")
        return Answer.json({"uri": uri, "cid": _record_cid(record), "value": record})

    def _delete_record(self, request: RecordedRequest) -> Answer:
        body = self._check_write(request, 1)
        uri = f"at://{self.did}/{body['collection']}/{body['rkey']}"
        deleted = self._records.pop(uri, None)
        if deleted is None:
            return Answer.json({})
        used = {blob["ref"]["$link"] for record in self._records.values() for blob in blobs(record)}
        for blob in blobs(deleted):
            if blob["ref"]["$link"] not in used:  # pictures are deleted with the last post that shows them
                self._blobs.pop(blob["ref"]["$link"], None)
        return Answer.json({"commit": self._commit(uri)})

    def _commit(self, uri: str) -> dict[str, str]:
        self.commits += 1
        revision = f"{self.commits}:{uri}"
        return {"cid": _cid(0x71, revision.encode()), "rev": str(self.commits)}


def _refused(status: int, error: str, message: str, headers: Mapping[str, str] | None = None) -> Refusal:
    return Refusal(Answer.json({"error": error, "message": message}, status, headers=headers))


def _limited(seconds: int) -> Refusal:
    return _refused(429, "RateLimitExceeded", "Rate Limit Exceeded", {"Retry-After": str(seconds)})


def _record_cid(record: Mapping[str, Any]) -> str:
    """Return the cid of a record. The real one hashes DAG-CBOR."""
    return _cid(0x71, json.dumps(record, sort_keys=True).encode())


def _cid(codec: int, content: bytes) -> str:
    """Return a CID version 1 with SHA-256 in base 32 (atproto.com/specs/data-model)."""
    raw = bytes((1, codec, 0x12, 0x20)) + hashlib.sha256(content).digest()
    return "b" + base64.b32encode(raw).decode().lower().rstrip("=")


_VALUE = {"link": "uri", "tag": "tag", "mention": "did"}  # app.bsky.richtext.facet


@dataclass(frozen=True, slots=True)
class RichTextLink:
    """A link, tag or mention in a text.

    Attributes:
        covers: The bytes of the text that the facet covers, read as UTF-8.
        to: The URL, the tag or the DID.
    """

    covers: str
    to: str


@dataclass(frozen=True, slots=True)
class VisibleBlueskyPost:
    """A post as a reader sees it.

    Attributes:
        uri: Its `at://` URI.
        cid: The hash of its content.
        created_at: As stored in the record.
        langs: Its declared languages.
        card: URL, title and description of the link card, or `None`.
        root: URI of the thread's first post; `None` for a post that starts a thread.
        parent: URI of the post that it replies to, or `None`.
    """

    uri: str
    cid: str
    text: str
    created_at: str
    langs: tuple[str, ...]
    links: tuple[RichTextLink, ...]
    tags: tuple[RichTextLink, ...]
    mentions: tuple[RichTextLink, ...]
    images: tuple[VisibleImage, ...]
    card: tuple[str, str, str] | None
    root: str | None
    parent: str | None

    @property
    def id(self) -> str:
        """Its URI."""
        return self.uri


def read_post(
    uri: str, cid: str, record: Mapping[str, Any], uploads: Mapping[str, tuple[str, bytes]]
) -> VisibleBlueskyPost:
    """Parse a record as a client does. Uploads are media type and bytes of each blob, by cid."""
    text = record["text"].encode()
    links: dict[str, list[RichTextLink]] = {"link": [], "tag": [], "mention": []}
    for facet in record.get("facets", []):
        covers = text[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode(errors="replace")
        for feature in facet["features"]:
            kind = feature["$type"].partition("#")[2]
            links[kind].append(RichTextLink(covers, feature[_VALUE[kind]]))
    embed, reply = record.get("embed", {}), record.get("reply", {})
    card = embed.get("external")
    return VisibleBlueskyPost(
        uri=uri,
        cid=cid,
        text=record["text"],
        created_at=record["createdAt"],
        langs=tuple(record.get("langs", ())),
        links=tuple(links["link"]),
        tags=tuple(links["tag"]),
        mentions=tuple(links["mention"]),
        images=tuple(_visible_image(image, uploads) for image in embed.get("images", ())),
        card=(card["uri"], card["title"], card["description"]) if card else None,
        root=reply.get("root", {}).get("uri"),
        parent=reply.get("parent", {}).get("uri"),
    )


def _visible_image(image: Mapping[str, Any], uploads: Mapping[str, tuple[str, bytes]]) -> VisibleImage:
    media_type, data = uploads[image["image"]["ref"]["$link"]]
    ratio = image.get("aspectRatio", {})
    return VisibleImage(image["alt"], data, media_type, ratio.get("width"), ratio.get("height"))
