"""Errors that type checkers must report: each mark below fails the check if its error is missing."""

from __future__ import annotations

from policenotify import Location, Message, Publisher
from policenotify.channel import Account, Capabilities, Channel, Post, PostRef, Request, SupportsLookup, SupportsSend
from policenotify.errors import Refused
from policenotify.testing import Recording
from policenotify.text import Budget


class LacksPrepare:
    """It cannot turn a post into its own words."""

    capabilities = Capabilities(budget=Budget(10))
    account = "nobody"

    def send(self, request: Request) -> PostRef:
        return PostRef(account=request.account, id="1")

    def whoami(self) -> Account:
        return Account(id="1", name="nobody")

    def close(self) -> None:
        pass


class Silent(LacksPrepare):
    """It has no answers to hang a post under, and cannot be asked."""

    def prepare(self, post: Post) -> Request:
        return Request(account="nobody", key=post.key, body={})


def refused(publisher: Publisher, message: Message, desk: Recording) -> tuple[object, ...]:
    """Nothing of this is right."""
    channel: Channel = LacksPrepare()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]  # no prepare
    sends: SupportsSend = Silent()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]  # prepare lacks answers
    finds: SupportsLookup = LacksPrepare()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]  # no find
    publisher.publish(message, key="1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # who says it?
    publisher.publish("Accident", key="1", actor="desk")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # no message
    Capabilities(budget=Budget(10), polls=True)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # no such claim
    Refused("No.", fallback="again")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # no such way on
    Location(comune="34172")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  # a slip
    desk.fail_next("x", ValueError("No."))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # no network's error
    return channel, sends, finds
