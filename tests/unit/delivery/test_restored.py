"""What is open in a journal that was restored from a copy is looked up before it is sent again."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import pytest

from policenotify.model.history import Outcome
from tests.support.fake_network import KEYED, PLAIN, READABLE, Book, Scripted, attempt


def test_a_post_of_after_the_copy_is_found_and_not_repeated(book: Book) -> None:
    """In the copy it was never tried, so it holds no request of it."""
    network = Scripted(capabilities=READABLE)
    began = book.clock.now()
    published = book.publish("sky")
    book.pass_by(60)
    assert book.journal.mark_restored("adm") == 1
    assert book.receipt(published).outcome is Outcome.UNCONFIRMED
    network.finds.append(network.ref)
    attempt(book, network)
    assert book.receipt(published).outcome is Outcome.POSTED
    assert (len(network.asked), len(network.said)) == (1, 0)
    assert network.since == [began - timedelta(days=1)]


def test_what_was_not_sent_after_the_copy_goes_out_after_two_look_ups(book: Book) -> None:
    network = Scripted(capabilities=READABLE)
    published = book.publish("sky")
    book.journal.mark_restored("adm")
    attempt(book, network)
    assert book.receipt(published).outcome is Outcome.UNCONFIRMED
    assert not network.said
    book.pass_by(60)
    attempt(book, network)
    assert book.receipt(published).outcome is Outcome.POSTED
    assert (len(network.asked), len(network.said)) == (2, 1)


def test_a_network_that_knows_the_key_gets_it_again_at_once(book: Book) -> None:
    network = Scripted(capabilities=KEYED)
    published = book.publish("sky")
    book.journal.mark_restored("adm")
    attempt(book, network)
    assert book.receipt(published).outcome is Outcome.POSTED
    assert len(network.said) == 1


@pytest.mark.parametrize(("on_unknown", "outcome"), [("hold", Outcome.HELD), ("resend", Outcome.POSTED)])
def test_where_nothing_can_be_asked_the_documented_choice_is_made(
    book: Book, on_unknown: Literal["resend", "hold"], outcome: Outcome
) -> None:
    network = Scripted(capabilities=PLAIN)
    published = book.publish("sky")
    book.journal.mark_restored("adm")
    attempt(book, network, network.configured("sky", on_unknown=on_unknown))
    assert book.receipt(published).outcome is outcome
    assert len(network.said) == (on_unknown == "resend")
