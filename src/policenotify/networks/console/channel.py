"""A console: each post is printed as its readers would see it."""

from __future__ import annotations

import sys
from threading import Lock
from typing import Any, ClassVar, Final, Literal

from policenotify.channel import Account, Capabilities, Post, PostRef, Request
from policenotify.errors import SettingsError, Unavailable, Unconfirmed
from policenotify.networks._plain import PlainPost, limits_of
from policenotify.text import Budget
from policenotify.transport import before_publishing

_ID: Final = 16  # digits of the key that name a post
_REMEDY: Final = "Start the process from a terminal, or with its output in a log."
_lock = Lock()  # posts of several channels do not run into one another


class Console:
    """The terminal or the log of the publishing process, for development.

    A post that was printed cannot be found again, changed or taken back.

    Args:
        stream: `stderr`, which leaves the output of `policenotify --json` alone, or `stdout`.
        like: A network, such as `x`, whose limits and wording the posts have. Empty: long posts without a subject line.
        label: The account's name in receipts. Two consoles need two labels.

    Raises:
        SettingsError: An option is not valid.
    """

    default_capabilities: ClassVar[Capabilities] = Capabilities(budget=Budget(25_000), replies=True)

    def __init__(
        self, *, stream: Literal["stderr", "stdout"] = "stderr", like: str = "", label: str = "console"
    ) -> None:
        if not label.strip():
            raise SettingsError("label: must not be empty")
        self._stream = stream
        self._capabilities = limits_of(like, self.default_capabilities)
        self._account = label.strip()

    @property
    def capabilities(self) -> Capabilities:
        """Replies name the post above them. Nothing else can be promised of a terminal."""
        return self._capabilities

    @property
    def account(self) -> str:
        """The label."""
        return self._account

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        """Freeze what is printed. See `Channel.prepare`."""
        id_ = post.key[:_ID]
        shown = PlainPost.of(post, reply_to, self._capabilities, account=self._account, id_=id_)
        return Request(account=self._account, key=post.key, body={"id": id_, "shown": str(shown)})

    def send(self, request: Request) -> PostRef:
        """Print the post in one call. See `SupportsSend.send`.

        Raises:
            Unavailable: Nothing reads the stream any more.
            Unconfirmed: The system reported an error, and may have shown a part.
        """
        stream = self._open_stream()
        encoding = getattr(stream, "encoding", None) or "utf-8"
        text = str(request.body["shown"]).encode(encoding, "replace").decode(encoding)
        with _lock:
            before_publishing()
            try:
                stream.write(text)
                stream.flush()
            except (BrokenPipeError, ValueError):  # nothing reads it, or it was closed
                raise _closed() from None
            except OSError as error:
                reason = f"The console could not be written ({error.strerror})."
                raise Unconfirmed(reason, remedy="Look at the console, and resolve the delivery.") from None
        return PostRef(account=self._account, id=str(request.body["id"]))

    def whoami(self) -> Account:
        """Prove that there is a stream. See `Channel.whoami`."""
        self._open_stream()
        note = "For development: only who sees this process's output reads these posts."
        return Account(id=self._account, name=self._account, note=note)

    def close(self) -> None:
        """Nothing is open: the stream belongs to the process."""

    def _open_stream(self) -> Any:  # noqa: ANN401 - what stands in for a stream in a service or a test
        stream = getattr(sys, self._stream)
        if stream is None or getattr(stream, "closed", False):
            raise _closed()
        return stream


def _closed() -> Unavailable:
    return Unavailable("Nothing reads the console of this process. Nothing was printed.", remedy=_REMEDY)
