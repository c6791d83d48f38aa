"""The baseline of the journal's costs: the same five calls at once, by open channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from policenotify.channel import Recipient, SupportsPeople, SupportsSend
from policenotify.model.history import RenderedPost
from policenotify.publishing.publisher import Publisher
from policenotify.testing.fakes import InMemoryStateStore
from tests.support.five_networks import ADDRESSES, NETWORKS, NUMBERS, Five


class Bare:
    """The unmodified SDKs, reached as our channels reach them: nothing is written down, nothing is tried again."""

    def __init__(self, channels: Mapping[str, Any], threads: ThreadPoolExecutor) -> None:
        self._channels = channels
        self._threads = threads

    def send(self, wordings: tuple[RenderedPost, ...]) -> None:
        """Send each of these on its network, and return when the last one is published."""
        list(self._threads.map(self._send, wordings))

    def _send(self, wording: RenderedPost) -> None:
        channel = self._channels[wording.target.channel]
        request = channel.prepare(wording.standalone, ())
        if isinstance(channel, SupportsPeople):
            addresses = ADDRESSES if wording.target.channel == "email" else NUMBERS
            people = tuple(Recipient(key=f"{number:064d}", address=one) for number, one in enumerate(addresses))
            assert all(told.outcome == "posted" for person in people for told in channel.send_to(request, [person]))
        else:
            assert isinstance(channel, SupportsSend)
            channel.send(request)


@contextmanager
def open_bare(five: Five, publisher: Publisher) -> Iterator[Bare]:
    """Our five channels, opened once."""
    with ExitStack() as stack, ThreadPoolExecutor(len(NETWORKS)) as threads:
        opened = {
            name: stack.enter_context(
                closing(publisher.installation.channel_configs[name].open(five.clock, InMemoryStateStore()))
            )
            for name in NETWORKS
        }
        yield Bare(opened, threads)
