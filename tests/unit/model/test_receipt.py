import copy
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from policenotify.channel import PostRef
from policenotify.errors import InvalidTransition
from policenotify.findings import Finding, Level
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.model.receipt import Publication, PublicationFailed, Receipt

AT = datetime(2026, 7, 26, 12, 5, tzinfo=UTC)
PARIS_SUMMER = timezone(timedelta(hours=2))
ULID = "01K1BB00000000000000000000"
EARLIER = "01K1AA00000000000000000000"
REF = PostRef(account="desk.example", id="1", url="https://bsky.example/1")
FINDING = Finding(
    code="PN201", level=Level.ADVISE, field="headline", reason="It is long.", remedy="Shorten it.", span=(3, 9)
)


def receipt(outcome: Outcome = Outcome.POSTED, **fields: Any) -> Receipt:
    return Receipt.model_validate({"channel": "bluesky", "language": "fr", "delivery": 1, **fields, "outcome": outcome})


def message(stage: str = "opening", incident: str | None = "142", **lifecycle: str) -> Message:
    lifecycles = {"stage": stage, "incident": incident, **lifecycle}
    return Message(category="fire", lifecycle=Lifecycle.model_validate(lifecycles), headline="Feu de broussailles")


def publication(message: Message, *receipts: Receipt) -> Publication:
    return Publication(
        id=ULID,
        key="desk-7",
        message=message,
        sequence=1,
        at=AT,
        actor="claire",
        receipts=receipts,
        findings=(FINDING,),
    )


# --- outcomes and receipts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "settled", "in_order"),
    [
        ("waiting", False, False),
        ("sending", False, False),
        ("posted", True, True),
        ("refused", True, False),
        ("unconfirmed", False, False),
        ("held", True, False),
        ("superseded", True, True),
        ("skipped", True, True),
        ("deleted", True, True),
        ("suppressed", True, True),
    ],
)
def test_what_each_outcome_requires_of_an_operator(outcome: str, settled: bool, in_order: bool) -> None:  # noqa: FBT001 - a table
    assert (Outcome(outcome).is_final, Outcome(outcome).ok) == (settled, in_order)
    assert receipt(Outcome(outcome)).ok is in_order


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (receipt(ref=REF), "bluesky: posted https://bsky.example/1"),
        (
            receipt(Outcome.REFUSED, reason="The post is too long.", code="400", remedy="Shorten the headline."),
            "bluesky: refused The post is too long. [400] Shorten the headline.",
        ),
        (
            receipt(
                Outcome.WAITING,
                reason="Bluesky asks us to wait.",
                code="429",
                retry_at=datetime(2026, 7, 26, 14, 5, tzinfo=PARIS_SUMMER),
                note="This process will send it.",
            ),
            ("bluesky: waiting Bluesky asks us to wait. [429] Not before 2026-07-26 14:05. This process will send it."),
        ),
        (
            receipt(recipients={Outcome.POSTED: 211, Outcome.REFUSED: 2, Outcome.HELD: 0}),
            "bluesky: posted (211 posted, 2 refused)",
        ),
    ],
)
def test_a_receipt_reads_well(one: Receipt, text: str) -> None:
    assert str(one) == text


def test_a_receipt_is_not_in_order_while_one_person_was_missed() -> None:
    assert receipt(recipients={Outcome.POSTED: 3, Outcome.SUPPRESSED: 1, Outcome.REFUSED: 0}).ok
    assert not receipt(recipients={Outcome.POSTED: 3, Outcome.REFUSED: 1}).ok
    assert not receipt(recipients={Outcome.WAITING: 1}).ok


# --- a publication -------------------------------------------------------------------------------------------------

GOOD, BAD = receipt(ref=REF), receipt(Outcome.HELD, channel="email", delivery=2, recipients={Outcome.HELD: 1})


def test_a_publication_is_read_as_its_receipts_and_is_a_model_all_the_same() -> None:
    both = publication(message(), GOOD, BAD)
    assert [*both] == [GOOD, BAD]
    assert both == publication(message(), GOOD, BAD) != publication(message(), GOOD)
    assert pickle.loads(pickle.dumps(both)) == copy.deepcopy(both) == both  # noqa: S301 - our own bytes
    assert set(both.model_dump()) == {*Publication.model_fields, "stage", "published", "ok"}
    assert Publication.model_validate_json(both.model_dump_json()) == both
    assert repr(both).startswith(f"Publication(id='{ULID}', key='desk-7', message=Message(")
    with pytest.raises(ValidationError, match="frozen"):
        both.sequence = 2  # type: ignore[misc]  # what is proved


def test_the_receipt_of_a_channel() -> None:
    both = publication(message(), GOOD, BAD, receipt(language="oc", delivery=3))
    assert both.on("bluesky") is both.receipts[0]
    assert both.on("email") == BAD
    with pytest.raises(KeyError, match=f"{ULID} was not for 'sms'"):
        both.on("sms")


def test_failures_are_raised_on_request() -> None:
    assert publication(message(), GOOD).ok
    publication(message(), GOOD).raise_for_failures()
    publication(message()).raise_for_failures()
    both = publication(message(), GOOD, BAD)
    assert not both.ok
    with pytest.raises(PublicationFailed) as failed:
        both.raise_for_failures()
    assert failed.value.receipts == (BAD,)
    assert str(failed.value) == "email: held (1 held)"


# --- what follows --------------------------------------------------------------------------------------------------


def test_the_stages_within_an_incident() -> None:
    opened = publication(message())
    assert opened.incident == "142"
    assert opened.update("Le feu avance").lifecycle == Lifecycle(stage=Stage.UPDATE, incident="142")
    assert opened.end("Feu éteint").lifecycle == Lifecycle(stage=Stage.END, incident="142")
    assert opened.correct("Avenue de Lodève").lifecycle == Lifecycle(
        stage=Stage.CORRECTION, incident="142", corrects=ULID
    )
    assert opened.cancel("Fausse alerte").lifecycle == Lifecycle(stage=Stage.CANCELLATION, incident="142")


def test_the_stages_after_a_standalone_message() -> None:
    alone = publication(message("standalone", None))
    assert alone.incident is None
    assert alone.correct("Le 15").lifecycle == Lifecycle(stage=Stage.CORRECTION, corrects=ULID)
    assert alone.cancel("Annulé").lifecycle == Lifecycle(stage=Stage.CANCELLATION, corrects=ULID)
    for follow in (alone.update, alone.end):
        with pytest.raises(
            InvalidTransition, match=r"stands alone.*What may follow: correction, cancellation\."
        ) as caught:
            follow("Suite")
        assert caught.value.allowed_stages == (Stage.CORRECTION, Stage.CANCELLATION)


def test_a_follow_up_to_a_correction_is_about_the_corrected_message() -> None:
    """The journal keeps the course of a standalone message under that message's id."""
    again = publication(message("correction", None, corrects=EARLIER))
    assert again.correct("Le 16").lifecycle == Lifecycle(stage=Stage.CORRECTION, corrects=EARLIER)
    assert again.cancel("Annulé").lifecycle == Lifecycle(stage=Stage.CANCELLATION, corrects=EARLIER)
    within = publication(message("correction", "142", corrects=EARLIER))
    assert within.correct("Le 16").lifecycle == Lifecycle(stage=Stage.CORRECTION, incident="142", corrects=ULID)
