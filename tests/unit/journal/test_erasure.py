"""One incident or publication is erased at once (GDPR, article 17), with its drafts; the proof stays."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from policenotify.channel import Picture
from policenotify.errors import DraftConflict, InvalidTransition, NotAllowed, NotErasable
from policenotify.journal.retention import Purged
from policenotify.model.draft import DraftState
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Image
from tests.support import journal as bench
from tests.support.approval import REASON, appeal, reading_publisher
from tests.support.patience import PATIENCE

if TYPE_CHECKING:
    from tests.support.journal import Desk

AS_OWNER = True  # it empties events, which the application may not
A, B = "a.victime@x.example", "b.presse@x.example"
WHY = "Demande de la personne, dossier 12."
NAME = "Jean Dupont"
DIGEST = "ab" * 32
FACE = Picture(digest=DIGEST, media_type="image/jpeg", width=1, height=1, alt=NAME, data=b"visage")


@pytest.fixture(autouse=True)
def _bodies_may_go(desk: Desk) -> None:
    event.remove(desk.journal._engine, "before_cursor_execute", bench._only_added)


def everything(desk: Desk) -> str:
    return repr(desk.dump())


def ended(desk: Desk, incident: str = "I1") -> None:
    desk.publish(
        incident=incident,
        channels=("sky", "mail"),
        people={"mail": [A, B]},
        headline=NAME,
        pictures=(FACE,),
        images=(Image(digest=DIGEST, alt=NAME),),
    )
    desk.deliver()
    desk.mail()
    desk.publish(Stage.END, incident, headline=f"Fin, {NAME}", channels=("sky",))
    desk.deliver()


@pytest.mark.databases
def test_text_images_and_addresses_of_an_incident_go_at_once_and_the_proof_stays(desk: Desk) -> None:
    ended(desk)
    addresses = desk.dump("pn_person")["pn_person"]
    assert len(addresses) == 2
    done = desk.journal.retention.erase("I1", "dpo", WHY)
    assert done.publications == 2
    left = everything(desk)
    assert NAME not in left
    assert "visage" not in left
    assert desk.dump("pn_person")["pn_person"] == []
    assert desk.journal.audit.verify() == 0
    erased = desk.journal.publications.get("key " + f"{1:026d}")
    assert erased is not None
    assert erased.message.headline.startswith("Contenu effacé le ")
    with pytest.raises(InvalidTransition, match="purged"):
        desk.journal.publications.ensure_not_purged(desk.draft(Stage.CORRECTION, corrects=f"{1:026d}").message)


def test_what_may_be_out_or_is_to_be_sent_is_not_erased(desk: Desk) -> None:
    first = desk.publish(Stage.STANDALONE, headline=NAME, channels=("sky", "mast"))
    claimed = desk.begin(desk.take("sky"))
    for settled in (True, False):
        with pytest.raises(NotErasable, match="A post of it is to be sent, or nobody knows"):
            desk.journal.retention.erase(first, "dpo", WHY)
        if settled:
            desk.settle(claimed)
    desk.deliver("mast")
    desk.journal.retention.erase(first, "dpo", WHY)
    assert desk.outcomes(first) == {"sky": Outcome.POSTED, "mast": Outcome.POSTED}
    assert NAME not in everything(desk)
    assert desk.journal.audit.verify() == 0


def test_what_does_not_exist_is_not_erased(desk: Desk) -> None:
    with pytest.raises(NotErasable, match=r"no incident, publication or draft 'I9'.*Nothing was erased"):
        desk.journal.retention.erase("I9", "dpo", WHY)
    desk.journal.may = lambda _actor, action, _message: action != "erase"
    with pytest.raises(NotAllowed):
        desk.journal.retention.erase("I9", "dpo", WHY)


def test_the_draft_of_an_erased_publication_keeps_who_read_it_and_no_text(desk: Desk) -> None:
    publisher = reading_publisher(desk.journal)
    draft = publisher.drafts.create(appeal(NAME), actor="claire", key=NAME)
    draft = publisher.drafts.submit(draft.id, actor="claire", reason=f"Pour {NAME}.")
    publisher.drafts.approve(draft.id, digest=draft.digest, actor="hugo", reason=NAME)
    urgent = publisher.publish(appeal(NAME, lifecycle=Lifecycle()), key="u", actor="claire", urgent=f"Pour {NAME}.")
    publisher.publish(publisher.operations.incident("I1").end("Fin"), key="end", actor="claire")
    publisher.drain(timedelta(seconds=5))
    desk.journal.retention.erase("I1", "dpo", WHY)
    publisher.drain(timedelta(seconds=5))
    desk.journal.retention.erase(urgent.id, "dpo", WHY)
    assert NAME not in everything(desk)
    assert desk.journal.audit.verify() == 0
    left = publisher.drafts.get(draft.id)
    assert [(review.reader, review.verdict) for review in left.reviews] == [("hugo", "approve")]
    assert left.authors == ("claire",)
    with pytest.raises(DraftConflict, match="no second reading"):
        publisher.drafts.second_reading(urgent.id, actor="hugo")
    desk.change_directly("UPDATE pn_draft SET content = replace(content, 'hugo', 'ines')")
    with pytest.raises(Exception, match="tampered with: draft"):
        desk.journal.audit.verify()


@pytest.mark.databases
def test_what_was_never_published_of_an_incident_is_erased_with_it(desk: Desk) -> None:
    """Drafts and refused messages name the person, too. Those of other incidents stay."""
    publisher = reading_publisher(desk.journal)
    publisher.publish(appeal(NAME), key="1", actor="claire", urgent=REASON)
    desk.journal.publications.add_refused(desk.draft(Stage.UPDATE, headline=f"Refusé {NAME}"))
    publisher.publish(
        appeal("Fin", lifecycle=Lifecycle(stage=Stage.END, incident="I1")), key="2", actor="claire", wait=PATIENCE
    )
    update = Lifecycle(stage=Stage.UPDATE, incident="I1")
    publisher.drafts.create(appeal(f"Encore {NAME}", lifecycle=update), actor="claire")
    other = publisher.drafts.create(
        appeal("Autre", lifecycle=Lifecycle(stage=Stage.OPENING, incident="I11")), actor="claire"
    )
    done = desk.journal.retention.erase("I1", "dpo", WHY)
    assert (done.publications, done.drafts) == (2, 1)
    assert NAME not in everything(desk)
    assert [draft.id for draft in publisher.drafts.list()] == [other.id]
    assert desk.journal.audit.verify() == 0


@pytest.mark.databases
def test_old_drafts_are_purged_and_pictures_of_open_ones_stay(desk: Desk) -> None:
    publisher = reading_publisher(desk.journal)
    journal = desk.journal
    old = publisher.drafts.create(appeal(NAME), actor="claire")
    desk.clock.pass_by(86_400)
    face = journal.drafts.create(
        "0" * 26, appeal(images=(Image(digest=DIGEST, alt="x"),)), key="k", author="claire", pictures=[FACE]
    )
    waits = publisher.drafts.submit(face.id, actor="claire")
    before = desk.clock.now() - timedelta(hours=1)
    assert journal.retention.purge(before, "adm", dry_run=True).drafts == 1
    assert journal.retention.purge(before, "adm").drafts == 1
    assert NAME not in everything(desk)
    assert [draft.id for draft in publisher.drafts.list(only_open=False)] == [face.id]
    assert len(desk.dump("pn_blob")["pn_blob"]) == 1
    assert journal.audit.verify() == 0
    with pytest.raises(DraftConflict, match="there is none"):
        publisher.drafts.publish(old.id, actor="claire")
    assert journal.retention.purge(desk.clock.now(), "adm") == Purged()  # somebody may still approve it
    assert publisher.drafts.approve(waits.id, digest=waits.digest, actor="hugo").state is DraftState.PUBLISHED
