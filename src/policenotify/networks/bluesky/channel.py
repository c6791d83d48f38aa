"""Bluesky: posts on the AT Protocol, each exactly one record under its own key."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import JsonValue, field_validator

from policenotify.channel import Account, Capabilities, Picture, Post, PostRef, Request, Services
from policenotify.errors import Blocked, Refused, SettingsError, Unavailable, Unconfirmed, printable
from policenotify.networks._http import HttpAnswer, deleted_parent, is_connected, newest_connected
from policenotify.networks.bluesky.api import BlueskySession, Xrpc, without_side_effects
from policenotify.networks.bluesky.post import BUDGET, COLLECTION, IMAGES, parent_of, record, record_key, reply_of
from policenotify.networks.options import CallSeconds, ChannelOptions, Handle, Secret, SecureUrl
from policenotify.translation import AnyText, Text

_HANDLE = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
_URI = re.compile(r"at://(did:[^/]+)/([^/]+)/([^/]+)")  # atproto.com/specs/at-uri-scheme
_NOT_FOUND = "RecordNotFound"  # com.atproto.repo.getRecord
_CID = re.compile(r"b[a-z2-7]{8,}")  # atproto.com/specs/data-model: CIDv1 in base 32


class Bluesky:
    """One Bluesky account.

    A post is a record put under a key that follows from the post itself, "only if the key is free". Sending it again
    changes nothing, so any doubt is settled by sending it again. Posts are never edited: readers would go on seeing
    the first wording. Pictures and a link card exclude each other. With pictures the link stays in the text.
    Addresses are shown short, as the app shows them (`police.example/actualites/2…`), and only that counts. Their
    target stays whole.

    After the login, calls go to the server that the account's DID document names (bsky.social only logs in), if it is
    reached by https. A plain http server is used only on the loopback that `service` itself names.

    Raises:
        MissingExtra: atproto is not installed.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(
        budget=BUDGET,
        replies=True,
        images=IMAGES,
        idempotency_window=timedelta(days=36_500),  # a record key is taken for as long as its record exists
        lookup_delay=timedelta(0),  # the server that holds the account answers from what it has stored
        deletes=True,
    )
    """Those of the lexicons `app.bsky.feed.post` and `com.atproto.repo.putRecord`."""

    class Options(ChannelOptions):
        """A Bluesky account."""

        handle: Handle
        """The account's handle, such as `police.example`. `@` before it is ignored."""
        password: Secret
        """An *app password*, never the account's main one (it may be revoked alone, and needs no mail code)."""
        service: SecureUrl = "https://bsky.social"
        """The server of the login: `https://…`, or `http://` on the loopback."""
        timeout: CallSeconds = 10.0
        """Seconds to wait for a connection, and again for the answer."""

        @field_validator("handle")
        @classmethod
        def _is_domain(cls, handle: str) -> str:
            if not _HANDLE.fullmatch(handle):
                raise SettingsError(
                    Text("a Bluesky handle is a domain name, such as 'police.example' (no mail address)")
                )
            return handle.lower()

    def __init__(self, options: Options, services: Services) -> None:
        self._handle = options.handle
        self.account: str = f"{options.handle}@{urlsplit(options.service).netloc.lower()}"
        self._xrpc = Xrpc(
            self.account,
            handle=options.handle,
            password=options.password,
            service=options.service,
            timeout=options.timeout,
            services=services,
        )

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        """Upload the pictures, look up mentioned handles, and freeze the record.

        It replies to the newest of our posts that readers still see. Posts of another account, or without a `cid`, are
        not replied to. See `Channel.prepare`.

        Raises:
            Refused: The post is outside Bluesky's limits. With `fallback="standalone"`: all that it could reply to has
                been deleted.
        """
        with without_side_effects(Text("preparing the post")):
            session = self._xrpc.current()
            reply = self._reply([ref for ref in reply_to if self._is_ours(ref, session)])
            images = [self._upload(picture) for picture in post.pictures]
            dids = {span.value: did for span in post.spans if span.kind == "mention" and (did := self._did(span.value))}
        body: dict[str, JsonValue] = {
            "did": session.did,
            "collection": COLLECTION,
            "rkey": record_key(post),
            "record": record(post, reply=reply, images=images, dids=dids),
        }
        return Request(account=self.account, key=post.key, body=body)

    def send(self, request: Request) -> PostRef:
        """Put the record, if its key is free. See `SupportsSend.send`.

        Raises:
            Refused: With `fallback="prepare"`: only its key or an upload is refused, or the post that it replies to has
                been deleted since it was prepared.
            Blocked: The account cannot post, or the handle has become another account.
        """
        record = request.body["record"]
        if (parent := parent_of(record)) is not None:
            self._xrpc.check_account(self._xrpc.current(), request.body["did"])
            with without_side_effects(Text("looking for the post to answer")):
                connected = is_connected(parent, lambda uri: parent_of(self._record(uri)), set())
            if not connected:
                raise deleted_parent(_NOT_FOUND)
        # swapRecord null: "only if there is none". The SDK's own models would leave it out, and overwrite.
        content = _json(_place(request) | {"record": record, "swapRecord": None})
        answer = self._xrpc.post("com.atproto.repo.putRecord", content, did=request.body["did"])
        if answer.status == HTTPStatus.OK:  # with a commit it is new, without one it was there already
            return self._ref(request, answer)
        if answer.error == "InvalidSwap":
            return self._existing(request)
        if answer.refused and (answer.error == "BlobNotFound" or "slur in record key" in answer.message):
            raise Refused(
                Text("Bluesky refused the post's key or a picture, not the post."),
                code=answer.code,
                remedy=Text("It will be prepared again."),
                fallback="prepare",
            )
        raise self._xrpc.error(answer)

    def find(self, request: Request, *, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:  # noqa: ARG002 - a key is older than no attempt
        """Look the record up under its key. See `SupportsLookup.find`."""
        with without_side_effects(Text("looking the post up")):
            answer = self._get(_place(request))
            if answer.error == _NOT_FOUND:
                return None
            if not answer.ok:
                error = self._xrpc.error(answer)
                raise Unavailable(error.reason, code=error.code) if isinstance(error, Refused) else error
            ref = self._same(request, answer)
            return None if ref is not None and ref.id in known else ref

    def delete(self, ref: PostRef) -> None:
        """Delete the record, if it still exists. See `SupportsDelete.delete`."""
        uri = _URI.fullmatch(ref.id)
        if ref.account != self.account or uri is None:
            raise Refused(Text("The post is not one of {account}; nothing was deleted.", account=self.account))
        content = _json({"repo": uri[1], "collection": uri[2], "rkey": uri[3]})
        answer = self._xrpc.post("com.atproto.repo.deleteRecord", content)
        if not answer.ok and answer.error != _NOT_FOUND:
            raise self._xrpc.error(answer)

    def whoami(self) -> Account:
        """Ask Bluesky whose the session is. See `Channel.whoami`."""
        with without_side_effects(Text("asking who we are")):
            answer = self._xrpc.whoami()
            body = answer.object
            did, handle = body.get("did"), body.get("handle")
            if not (answer.ok and isinstance(did, str) and isinstance(handle, str)):
                raise self._xrpc.error(answer)
        if body.get("active") is False:
            raise Blocked(
                Text(
                    "Bluesky says that {handle} is not active ({get}).",
                    handle=handle,
                    get=body.get("status") or Text("no reason given"),
                ),
                remedy=Text("Log in on the Bluesky website to see why, then: policenotify doctor"),
            )
        note: AnyText = ""
        if handle.casefold() != self._handle:
            note = Text(
                "The account of {handle} is called {now} now. Its posts go out all the same. When no incident is "
                "open on this channel, put the new handle into its settings: under another handle it continues "
                "no thread.",
                handle=self._handle,
                now=printable(handle),
            )
        return Account(id=did, name=handle, url=f"https://bsky.app/profile/{did}", note=note)

    def close(self) -> None:
        """See `Channel.close`."""
        self._xrpc.close()

    def _upload(self, picture: Picture) -> JsonValue:
        # The SDK would send */*, and the server guess.
        answer = self._xrpc.post("com.atproto.repo.uploadBlob", picture.data, media_type=picture.media_type)
        if not answer.ok:
            raise self._xrpc.error(answer)
        blob = answer.object.get("blob")
        if not (isinstance(blob, dict) and blob.get("$type") == "blob" and blob.get("size") == len(picture.data)):
            raise Unconfirmed(Text("Bluesky's answer to the picture cannot be read."), code="200")
        return blob

    def _did(self, handle: str) -> str | None:
        """Return the id of a mentioned handle. Without one it stays plain text."""
        try:
            answer = self._xrpc.read("com.atproto.identity.resolveHandle", {"handle": handle})
        except Unconfirmed:
            return None
        did = answer.object.get("did")
        return did if isinstance(did, str) and did.startswith("did:") else None

    def _get(self, place: dict[str, str]) -> HttpAnswer:
        return self._xrpc.read("com.atproto.repo.getRecord", place)

    def _record(self, uri: str) -> Mapping[str, Any]:
        """Return the record at a URI. Raises `LookupError` if there is none."""
        match = _URI.fullmatch(uri)
        if match is None:
            raise LookupError(uri)
        answer = self._get({"repo": match[1], "collection": match[2], "rkey": match[3]})
        if answer.error == _NOT_FOUND:
            raise LookupError(uri)
        value = answer.object.get("value")
        if answer.ok and isinstance(value, dict):
            return value
        error = self._xrpc.error(answer)
        if isinstance(error, Refused):
            self.whoami()  # for a closed account the server answers only that it finds no record
            raise Unavailable(error.reason, code=error.code)
        raise error

    def _reply(self, refs: Sequence[PostRef]) -> JsonValue:
        """Return the `reply` to the newest post that readers still see, or `None` without posts.

        A server that holds an account checks no parents, and silently accepts a reply to a deleted post. The network
        then shows that reply neither in the thread nor among the account's posts (`posts_and_author_threads` of
        `app.bsky.feed.getAuthorFeed` leaves out what is not connected to the first post of a thread).
        """
        read = cache(self._record)
        newest = newest_connected(refs, lambda uri: parent_of(read(uri)), code=_NOT_FOUND)
        if newest is None:
            return None
        parent: JsonValue = {"uri": newest.id, "cid": newest.extra["cid"]}
        # The root is the one that the parent names: with another one the post is missing from the thread.
        return {"root": reply_of(read(newest.id)).get("root", parent), "parent": parent}

    def _is_ours(self, ref: PostRef, session: BlueskySession) -> bool:
        return ref.account == self.account and ref.id.startswith(f"at://{session.did}/") and bool(ref.extra.get("cid"))

    def _existing(self, request: Request) -> PostRef:
        """Return the record under our key if it is this post, else raise the error."""
        try:
            answer = self._get(_place(request))
        except (Blocked, Unavailable) as error:  # about the look-up, not about the post
            raise Unconfirmed(error.reason, code=error.code) from None
        if not answer.ok:
            raise Unconfirmed(
                Text("A post is out under this post's key, but Bluesky does not show it."), code="InvalidSwap"
            )
        ref = self._same(request, answer)
        if ref is None:
            raise Refused(
                Text("Another of our posts has the key of this one; this one was not posted."),
                code="InvalidSwap",
                remedy=Text("It will be prepared with another key."),
                fallback="prepare",
            )
        return ref

    def _same(self, request: Request, answer: HttpAnswer) -> PostRef | None:
        """Return the record's reference if its content is ours, unchanged."""
        ref = self._ref(request, answer)
        return ref if answer.object.get("value") == request.body["record"] else None

    def _ref(self, request: Request, answer: HttpAnswer) -> PostRef:
        did, rkey = request.body["did"], str(request.body["rkey"])
        uri, cid = answer.object.get("uri"), answer.object.get("cid")
        if uri != f"at://{did}/{COLLECTION}/{rkey}" or not (isinstance(cid, str) and _CID.fullmatch(cid)):
            raise Unconfirmed(Text("Bluesky's answer does not name the post."), code=str(answer.status))
        url = f"https://bsky.app/profile/{did}/post/{rkey}"
        return PostRef(account=self.account, id=uri, url=url, extra={"cid": cid, "rkey": rkey})


def _place(request: Request) -> dict[str, str]:
    body = request.body
    return {"repo": str(body["did"]), "collection": str(body["collection"]), "rkey": str(body["rkey"])}


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
