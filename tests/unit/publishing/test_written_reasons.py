"""A finding of level `second` or `block` asks for another person, and each way past it for a written reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from policenotify.checks import Vocabulary, WordListChange
from policenotify.errors import NotAllowed
from policenotify.journal.clock import SystemClock
from policenotify.model.cap import Severity
from policenotify.model.location import Location
from policenotify.model.message import Basis, Image, Message
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing.samples import PARIS, SENDER
from tests.support.fake_network import Book, Scripted

SECOND = Message(category="arrest", headline="Trois personnes interpellées", location=Location(commune="34172"))
BLOCKED = SECOND.model_copy(update={"headline": "Jean Dupont interpellé", "basis": (Basis(who="prosecutor"),)})
REASON = "Accord oral du parquet à 14h05."
May = Callable[[str, str, Message | None], bool | str]
Make = Callable[..., Publisher]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Publisher] = []

    def publisher(may: May | None = None, words: Vocabulary | None = None) -> Publisher:
        clock, folder = SystemClock(), tmp_path / str(len(made))
        folder.mkdir()
        more: dict[str, Any] = {"words": words} if words else {}
        made.append(
            Publisher(
                Installation(
                    journal=Book(folder, clock).journal,
                    channels=[Scripted().configured("sky")],
                    zone=PARIS,
                    sender=SENDER,
                    clock=clock,
                    may=may,
                    **more,
                )
            )
        )
        return made[-1]

    yield publisher
    for one in made:
        one.close()


def test_only_whom_the_rule_allows_lifts_a_block(make: Make) -> None:
    def may(actor: str, action: str, message: Message | None) -> bool | str:
        assert message is not None
        return action != "overrule" or actor == "commissaire"

    publisher, grave = make(may), BLOCKED.model_copy(update={"severity": Severity.SEVERE})
    with pytest.raises(NotAllowed, match="overrule"):
        publisher.publish(grave, key="a", actor="brigadier", urgent=REASON)
    assert publisher.publish(grave, key="a", actor="commissaire", urgent=REASON).ok


def test_a_desk_changes_the_word_lists(make: Make) -> None:
    message = Message(category="scam_cyber", headline="Ces olibrius demandent vos codes")
    assert make().preview(message).allowed
    added = Vocabulary({"insult": WordListChange(add=("olibrius",))})
    assert not make(words=added).preview(message).allowed


def test_the_names_of_files_are_checked(make: Make, tmp_path: Path) -> None:
    from PIL import Image as Picture  # noqa: PLC0415 - an extra

    file = tmp_path / "Karim_Bensalah.png"
    Picture.new("RGB", (64, 64)).save(file)
    message = Message(
        category="scam_cyber", headline="Attention", images=(Image(alt="Affiche de prévention du service", path=file),)
    )
    blocking = {(one.code, one.field) for one in make().preview(message).findings if one.blocks}
    assert blocking == {("PN202", "images.0.path"), ("PN601", "message")}
