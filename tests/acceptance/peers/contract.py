"""The part of the channel contract that a server decides. The rest is shown on fake servers."""

from __future__ import annotations

from typing import Final

from policenotify.testing import ChannelContract
from policenotify.testing.contract.fixtures import Fault, NetworkFixture

_OF_THE_SERVER: Final = {
    "test_any_text_arrives_unchanged",
    "test_delete_removes_the_post",
    "test_images_arrive_with_alt_text",
    "test_key_publishes_once_from_many_threads",
    "test_longest_post_arrives_whole",
    "test_recipients_get_private_copies",
    "test_replies_form_one_thread",
    "test_send_publishes_once",
    "test_text_arrives_unchanged",
}


class ServerFixture(NetworkFixture):
    """An account on a real server, on which no fault is laid."""

    faults: frozenset[Fault] = frozenset()


class ServerContract(ChannelContract):
    """What readers get from the server."""


for _name in dir(ChannelContract):
    if _name.startswith("test_") and _name not in _OF_THE_SERVER:
        setattr(ServerContract, _name, None)
