"""A network that wants another request for a list, while another worker begins a batch of it."""

from __future__ import annotations

import pytest

from policenotify.channel import Capabilities
from policenotify.errors import Refused
from policenotify.journal.lists.state import StoredCursor
from policenotify.journal.records import ClaimedDelivery
from policenotify.model.history import Outcome
from policenotify.text import Budget
from tests.support.fake_network import Book, Scripted, attempts
from tests.support.journal import LEASE

FIRST, SECOND = (tuple(f"{name}{n}@press.example" for n in range(4)) for name in "ab")
PEOPLE = (*FIRST, *SECOND)
CAN = Capabilities(budget=Budget(300), recipients=True, replies=True)


def _batch(book: Book, people: tuple[str, ...], *, is_last: bool = False) -> ClaimedDelivery:
    """Claim the list and make a batch of these people of it."""
    claimed = book.journal.deliveries.claim("sky", f"runner {people[0]}", lease=LEASE)
    assert claimed is not None
    cursor = StoredCursor(position=PEOPLE.index(people[-1]) + 1)
    batch = book.journal.deliveries.add_batch(claimed, ("sky",), people, cursor, is_last=is_last, lease=LEASE)
    assert batch is not None
    return batch


@pytest.mark.parametrize("between", [False, True])
def test_each_person_gets_it_once(book: Book, between: bool) -> None:  # noqa: FBT001 - a case
    network = Scripted(capabilities=CAN)
    published = book.publish("sky", people=PEOPLE)
    first, second = _batch(book, FIRST), _batch(book, SECOND, is_last=True)
    network.sends.append(Refused("Another key.", fallback="prepare"))
    attempts(book, network).run(first)
    if between:  # a worker has sent the other request already
        again = book.claim()
        assert again is not None
        attempts(book, network).run(again)
    attempts(book, network).run(second)  # claimed with the request that the network has refused since
    while claimed := book.claim():
        attempts(book, network).run(claimed)
    accepted = [address for call in network.written_to[1:] for address in call]
    assert sorted(accepted) == sorted(PEOPLE)
    receipt = book.receipt(published)
    assert (receipt.outcome, receipt.recipients) == (Outcome.POSTED, {Outcome.POSTED: len(PEOPLE)})
    assert {request.body["variant"] for request in network.said[1:]} == {1}
