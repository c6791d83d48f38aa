"""Mails over one or more SMTP sessions at once, with a new session whenever the server ends one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeAlias

from policenotify.errors import ChannelError, Unavailable
from policenotify.networks.email.pipeline import OutgoingMail, Pipeline, SessionLost
from policenotify.networks.email.replies import Reply, silent
from policenotify.networks.email.smtp import SmtpSession

_MAX_LOST = 2  # sessions lost in a row before the server counts as unavailable
_WORTH_ANOTHER = 20  # mails of a list after which the next session is opened

Result: TypeAlias = tuple[OutgoingMail, Reply | None]
"""A mail, and the reply that decides about it, or `None` if the session ended after the mail was sent."""


class Sessions:
    """The sessions of a channel with its mail server.

    Args:
        connect: Opens a session.
        number: The most sessions at once. A short list has one.
    """

    def __init__(self, connect: Callable[[], SmtpSession], number: int = 1) -> None:
        self._lines = [_Line(connect) for _ in range(number)]

    def deliver(self, mails: Iterator[OutgoingMail]) -> Iterator[Result]:
        """Send mails, each in a new session if the old one ends before it is sent.

        One mail is under way in each session, and another one is taken ahead. If this raises, or is not read to the
        end, `under_way` returns what is left.

        Raises:
            ChannelError: No session can be opened, or a second one in a row ended without a reply to a mail.
            JournalError: Nothing may be sent any more.
        """
        source, lines, results, most = _Source(mails), self._lines[:1], 0, len(self._lines)
        while any(line.busy for line in lines) or source.has_more():
            for line in tuple(lines):
                try:
                    for result in line.steps(source):
                        results += 1
                        yield result
                except ChannelError:
                    if line is lines[0]:
                        raise
                    lines.remove(line)  # the server limits the sessions of a client
                    most = len(lines)
                    source.put_back(*line.give_up())
            if len(lines) < most and results >= _WORTH_ANOTHER * len(lines):
                lines.append(self._lines[len(lines)])

    def under_way(self) -> Iterator[Result]:
        """Yield the results of mails that were sent and have none yet, and end their sessions."""
        for line in self._lines:
            yield from line.last_result()

    def hang_up(self) -> None:
        """Close the sessions without waiting for a reply. The next mails open others."""
        for line in self._lines:
            line.hang_up()

    def close(self) -> None:
        """End the sessions politely."""
        for line in self._lines:
            line.close()


class _Source:
    """The mails to send, with those first whose session has ended."""

    def __init__(self, mails: Iterator[OutgoingMail]) -> None:
        self._mails = mails
        self._first: deque[OutgoingMail] = deque()

    def take(self) -> OutgoingMail | None:
        """Return the next mail, if there is one."""
        return self._first.popleft() if self._first else next(self._mails, None)

    def put_back(self, *mails: OutgoingMail) -> None:
        """Let these come next."""
        self._first.extendleft(reversed(mails))

    def has_more(self) -> bool:
        """Return True if there is another mail."""
        if not self._first and (mail := next(self._mails, None)) is not None:
            self._first.append(mail)
        return bool(self._first)


class _Line:
    """One session after another, with the mails in them."""

    def __init__(self, connect: Callable[[], SmtpSession]) -> None:
        self._connect = connect
        self._pipeline: Pipeline | None = None
        self._sent: OutgoingMail | None = None  # without a reply yet
        self._next: OutgoingMail | None = None  # its envelope may have been sent
        self._lost = 0  # sessions in a row
        self._silent = False  # the last one was lost to a timeout

    @property
    def busy(self) -> bool:
        """A mail is under way."""
        return self._sent is not None or self._next is not None

    def steps(self, source: _Source) -> Iterator[Result]:
        """Yield what has become of the mail under way, then send another one."""
        yield from self._received(source)
        while (mail := self._next or source.take()) is not None:
            self._next = mail
            pipeline, refusal = self._offered(mail)
            if refusal is not None:
                self._next = None
                yield mail, refusal
                continue
            self._next = source.take() if pipeline.pipelining else None
            try:
                pipeline.publish(mail, self._next)
            except SessionLost as lost:
                yield from self._lose(lost, mail, source)
                continue
            self._sent = mail
            return

    def last_result(self) -> Iterator[Result]:
        """Yield what has become of the mail under way, and end the session."""
        mail, pipeline = self._sent, self._pipeline
        try:
            if mail is not None and pipeline is not None:
                yield mail, pipeline.result(mail)
        except SessionLost as lost:
            if mail is not None and lost.in_doubt:
                yield mail, None
        finally:
            self.close()

    def give_up(self) -> list[OutgoingMail]:
        """Forget the session, and return the mail that is not sent."""
        mails = [self._next] if self._next is not None else []
        self.hang_up()
        return mails

    def hang_up(self) -> None:
        """Close the session without waiting for a reply."""
        if self._pipeline is not None:
            self._pipeline.session.drop()
        self.close()

    def close(self) -> None:
        """End the session, politely if no mail is under way."""
        pipeline, self._pipeline = self._pipeline, None
        self._sent, self._next, self._lost = None, None, 0
        if pipeline is not None:
            pipeline.end()

    def _received(self, source: _Source) -> Iterator[Result]:
        """Yield the result of the mail that was sent, unless it goes into another session."""
        mail, pipeline = self._sent, self._pipeline
        if mail is None or pipeline is None:
            return
        used, self._sent = pipeline.used, None
        try:
            reply = pipeline.result(mail)
        except SessionLost as lost:
            yield from self._lose(lost, mail, source)
            return
        self._lost = 0
        if used and reply.session_spent:  # the reply of a new session is final
            pipeline.end()
            self._put_back(mail, source)
        else:
            yield mail, reply

    def _offered(self, mail: OutgoingMail) -> tuple[Pipeline, Reply | None]:
        """Offer a mail, if need be in a new session. Return the session, and the refusal if there is one."""
        while True:
            pipeline = self._alive()
            used = pipeline.used
            try:
                refusal = pipeline.offer(mail)
            except SessionLost as lost:
                self._count(lost)
                continue
            if refusal is None:
                return pipeline, None
            self._lost = 0
            if not (used and refusal.session_spent):
                return pipeline, refusal
            pipeline.end()

    def _alive(self) -> Pipeline:
        if self._lost == _MAX_LOST:
            error = Unavailable("The mail server ends every session.", remedy="It will be tried again.")
            raise silent() if self._silent else error
        if self._pipeline is None or not self._pipeline.alive:
            self._pipeline = Pipeline(self._connect())
        return self._pipeline

    def _lose(self, lost: SessionLost, mail: OutgoingMail, source: _Source) -> Iterator[Result]:
        """Count a lost session. Its mail is in doubt, or sent again."""
        self._count(lost)
        if lost.in_doubt:
            yield mail, None
        else:
            self._put_back(mail, source)

    def _count(self, lost: SessionLost) -> None:
        self._lost += 1
        self._silent = lost.silent

    def _put_back(self, mail: OutgoingMail, source: _Source) -> None:
        source.put_back(mail, *([self._next] if self._next is not None else []))
        self._next = None
