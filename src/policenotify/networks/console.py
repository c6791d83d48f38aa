"""A console: each post is printed as its readers would see it."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from threading import Lock
from typing import Annotated, Any, ClassVar, Final

from pydantic import StringConstraints

from policenotify.channel import Account, Capabilities, Post, PostRef, Request, Services
from policenotify.errors import Unavailable, Unconfirmed
from policenotify.networks.options import ChannelOptions
from policenotify.text import Budget
from policenotify.translation import Text

_ID: Final = 16  # digits of the key that name a post
_REMEDY: Final = Text("Start the process from a terminal, or with its output in a log.")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")  # they could steer a terminal (ECMA-48)
_lock = Lock()  # posts of several channels do not run into one another


class Console:
    """The terminal or the log of the publishing process, for development.

    A post that was printed cannot be found again, changed or taken back.
    """

    default_capabilities: ClassVar[Capabilities] = Capabilities(budget=Budget(25_000), replies=True)

    class Options(ChannelOptions):
        """A console."""

        label: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)] = "console"
        """The account's name in receipts. Two consoles need two labels."""

    def __init__(self, options: Options, services: Services) -> None:  # noqa: ARG002 - it needs none
        self.capabilities: Capabilities = self.default_capabilities
        self.account: str = options.label

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        """Freeze what is printed. See `Channel.prepare`."""
        id_ = post.key[:_ID]
        parent = next((ref.id for ref in reversed(reply_to) if ref.account == self.account), "")
        shown = post_block(
            f"{self.account} · {post.stage} · {post.language} · {id_}",
            parent=parent,
            title="",
            text=post.text,
            pictures=[picture.alt for picture in post.pictures],
        )
        return Request(account=self.account, key=post.key, body={"id": id_, "shown": f"{shown}\n"})

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
            try:
                stream.write(text)
                stream.flush()
            except (BrokenPipeError, ValueError):  # nothing reads it, or it was closed
                raise _closed() from None
            except OSError as error:
                reason = Text("The console could not be written ({strerror}).", strerror=error.strerror)
                raise Unconfirmed(reason, remedy=Text("Look at the console, and resolve the delivery.")) from None
        return PostRef(account=self.account, id=str(request.body["id"]))

    def whoami(self) -> Account:
        """Prove that there is a stream. See `Channel.whoami`."""
        self._open_stream()
        note = Text("For development: only who sees this process's output reads these posts.")
        return Account(id=self.account, name=self.account, note=note)

    def close(self) -> None:
        """Nothing is open: the stream belongs to the process."""

    def _open_stream(self) -> Any:  # noqa: ANN401 - what stands in for a stream in a service or a test
        stream = sys.stderr  # which leaves the output of `policenotify --json` alone
        if stream is None or getattr(stream, "closed", False):
            raise _closed()
        return stream


def _closed() -> Unavailable:
    return Unavailable(Text("Nothing reads the console of this process. Nothing was printed."), remedy=_REMEDY)


def post_block(head: str, *, parent: str, title: str, text: str, pictures: Sequence[str]) -> str:
    """Return what readers see of a post, without a line feed at its end.

    Args:
        head: Its account, stage, language and id.
        parent: The id of the post that it replies to, or empty.
        title: The subject, or empty.
        text: The text.
        pictures: The alternative texts of its pictures.
    """
    lines = [f"┌─ {head}"]
    if parent:
        lines.append(f"│ ↳ {parent}")
    if title:
        lines += [f"│ {_shown(title)}", "│"]
    lines += [f"│ {_shown(line)}".rstrip() for line in text.split("\n")]
    lines += [f"│ [{_shown(' '.join(alt.split()))}]" for alt in pictures]
    return "\n".join([*lines, "└─"])


def _shown(text: str) -> str:
    return _CONTROL.sub("", text)
