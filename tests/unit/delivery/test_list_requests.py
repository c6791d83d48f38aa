"""Two workers that prepare the request of one list at the same time."""

from __future__ import annotations

from policenotify.channel import Capabilities, Request
from policenotify.journal.lists.state import StoredCursor
from policenotify.journal.records import ClaimedDelivery
from policenotify.model.history import Outcome
from policenotify.text import Budget
from tests.support.fake_network import Book, Scripted, attempts
from tests.support.journal import LEASE

FIRST, SECOND = (tuple(f"{name}{n}@press.example" for n in range(4)) for name in "ab")
PEOPLE = (*FIRST, *SECOND)


def _batch(book: Book, people: tuple[str, ...], *, is_last: bool = False) -> ClaimedDelivery:
    """Claim the list and make a batch of these people of it."""
    claimed = book.journal.deliveries.claim("sky", f"runner {people[0]}", lease=LEASE)
    assert claimed is not None
    cursor = StoredCursor(position=PEOPLE.index(people[-1]) + 1)
    batch = book.journal.deliveries.add_batch(claimed, ("sky",), people, cursor, is_last=is_last, lease=LEASE)
    assert batch is not None
    return batch


def test_the_request_that_is_stored_first_goes_to_all(book: Book) -> None:
    network = Scripted(capabilities=Capabilities(budget=Budget(300), recipients=True))
    published = book.publish("sky", people=PEOPLE)
    first, second = _batch(book, FIRST), _batch(book, SECOND, is_last=True)

    def overtaken(_post: object) -> Request:
        attempts(book, network).run(second)
        return Request(account=network.account, key="0" * 64, body={"text": "late", "variant": 0})

    network.prepares.append(overtaken)
    attempts(book, network).run(first)
    assert sorted(address for call in network.written_to for address in call) == sorted(PEOPLE)
    assert {request.body["text"] for request in network.said} == {"post 1"}
    receipt = book.receipt(published)
    assert (receipt.outcome, receipt.recipients) == (Outcome.POSTED, {Outcome.POSTED: len(PEOPLE)})
