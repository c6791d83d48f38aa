"""Files: each post is one JSON file in a folder, and beside it a text file for people."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final, cast

from policenotify.channel import Account, Capabilities, Picture, Post, PostRef, Request
from policenotify.errors import Refused, SettingsError
from policenotify.networks._plain import PlainPost, limits_of
from policenotify.networks.file.folder import PostFolder
from policenotify.text import Budget

SCHEMA_VERSION: Final = 1
"""The version of the JSON form of a post."""

_ID: Final = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{16}")
_SUFFIX: Final = {"image/jpeg": "jpg", "image/png": "png"}


class PostFiles:
    """A folder with a file for each post, for development and for programs that read a folder.

    `TIME-KEY.json` holds the post with its title, its pictures and what it answers, and `TIME-KEY.txt` what people
    read. A change is written over both, and a deletion removes both.

    Args:
        folder: The directory, such as `/srv/posts`. It must exist, on a file system with hard links.
        like: A network, such as `x`, whose limits and wording the posts have. Empty: long posts without a subject line.
        label: The account's name in receipts. Empty: the folder.

    Raises:
        SettingsError: An option is not valid.
    """

    default_capabilities: ClassVar[Capabilities] = Capabilities(
        budget=Budget(25_000),  # as a feed: a message at its longest
        replies=True,
        images=10,  # all that a message may have
        idempotency_window=timedelta(days=36_500),  # a file with the key of a post is never written twice
        lookup_delay=timedelta(0),  # a file is read as it was written
        edits=True,
        deletes=True,
    )

    def __init__(self, *, folder: Path, like: str = "", label: str = "") -> None:
        if not folder.is_absolute():
            raise SettingsError("folder: must be an absolute path, because each process has its own working directory")
        self._capabilities = limits_of(like, self.default_capabilities)
        self._account = label.strip() or str(folder)
        self._files = PostFolder(folder)

    @property
    def capabilities(self) -> Capabilities:
        """Those of files that we write ourselves, within the limits of the option `like`."""
        return self._capabilities

    @property
    def account(self) -> str:
        """The label, or the folder."""
        return self._account

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        """Write the pictures, which no post names yet, and freeze the document. See `Channel.prepare`."""
        for picture in post.pictures:
            self._files.replace(_picture_name(picture), picture.data)
        at = post.created_at.astimezone(UTC)
        id_ = f"{at:%Y%m%dT%H%M%S%fZ}-{post.key[:16]}"
        shown = PlainPost.of(post, reply_to, self._capabilities, account=self._account, id_=id_)
        document = {
            "schema_version": SCHEMA_VERSION,
            "key": post.key,
            **asdict(shown),
            "html": post.html,
            "link": post.link,
            "category": post.category,
            "exercise": post.exercise,
            "pictures": [{"file": _picture_name(each), "alt": each.alt} for each in post.pictures],
            "published_at": at.isoformat(),
        }
        return Request(account=self._account, key=post.key, body={"document": document, "shown": str(shown)})

    def send(self, request: Request) -> PostRef:
        """Write both files, unless they are there. See `SupportsSend.send`.

        Raises:
            Blocked: The folder may not be written.
            Unavailable: The folder does not exist, or the disk is full.
            Unconfirmed: The post was written, and the disk then reported an error.
        """
        document, shown = _contents(request)
        self._files.add(id_ := _id(request), document, shown)
        return self._ref(id_)

    def find(self, request: Request, *, since: datetime, known: frozenset[str] = frozenset()) -> PostRef | None:  # noqa: ARG002 - a key belongs to one post
        """Look the file up by its name, which holds the key. See `SupportsLookup.find`."""
        id_ = _id(request)
        return self._ref(id_) if id_ not in known and self._files.holds(id_) else None

    def edit(self, ref: PostRef, request: Request) -> PostRef:
        """Write the new post over both files. See `SupportsEdit.edit`.

        Raises:
            Refused: The post is not in the folder any more.
        """
        id_ = self._own(ref)
        if not self._files.holds(id_):
            raise Refused("The post is not in the folder any more. Nothing was changed.")
        document, shown = _contents(request, id_)
        self._files.change(id_, document, shown)
        return self._ref(id_)

    def delete(self, ref: PostRef) -> None:
        """Remove both files. See `SupportsDelete.delete`."""
        self._files.remove(self._own(ref))

    def whoami(self) -> Account:
        """Prove that the folder can be written. See `Channel.whoami`."""
        self._files.check()
        note = "For development: only who reads this folder sees these posts."
        return Account(id=self._account, name=self._account, note=note)

    def close(self) -> None:
        """No file stays open."""

    def _own(self, ref: PostRef) -> str:
        if ref.account != self._account or not _ID.fullmatch(ref.id):
            raise Refused(f"The post is not one of {self._account}. Nothing was changed.")
        return ref.id

    def _ref(self, id_: str) -> PostRef:
        return PostRef(account=self._account, id=id_, url=self._files.url(id_))


def _id(request: Request) -> str:
    return str(cast("dict[str, Any]", request.body["document"])["id"])


def _contents(request: Request, id_: str = "") -> tuple[bytes, bytes]:
    """Return the contents of both files, those of a changed post with the id that it has."""
    own = _id(request)
    document = {**cast("dict[str, Any]", request.body["document"]), "id": id_ or own}
    shown = str(request.body["shown"]).replace(own, id_ or own, 1)
    return f"{json.dumps(document, ensure_ascii=False, indent=2)}\n".encode(), shown.encode()


def _picture_name(picture: Picture) -> str:
    return f"pictures/{picture.digest}.{_SUFFIX[picture.media_type]}"
