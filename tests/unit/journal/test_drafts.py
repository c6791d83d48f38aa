"""Drafts: what others read before it is published, on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from policenotify.checks import Rule
from policenotify.errors import (
    ApprovalMissing,
    DraftConflict,
    IdempotencyConflict,
    JournalError,
    NotAllowed,
)
from policenotify.findings import Finding, Level
from policenotify.journal.database import schema
from policenotify.model.draft import Draft, DraftState, ReviewVerdict
from policenotify.model.lifecycle import Lifecycle, Stage
from policenotify.model.message import Message
from policenotify.publishing.approval import ApprovalRule
from policenotify.publishing.publisher import Publisher
from tests.support.approval import REASON, RULE, appeal, reading_publisher

if TYPE_CHECKING:
    from tests.support.journal import Desk


@pytest.fixture
def publisher(desk: Desk) -> Publisher:
    return reading_publisher(desk.journal)


def kinds(desk: Desk) -> list[str]:
    with desk.journal.read() as connection:
        return list(connection.execute(select(schema.event.c.kind).order_by(schema.event.c.id)).scalars())


def submitted(publisher: Publisher, message: Message | None = None, **how: Any) -> Draft:
    draft = publisher.drafts.create(message or appeal(), actor="claire", **how)
    return publisher.drafts.submit(draft.id, actor="claire")


def published(publisher: Publisher, draft: Draft) -> str | None:
    return publisher.drafts.get(draft.id).publication


# --- the way


@pytest.mark.databases
def test_the_last_approval_publishes_in_the_name_of_who_submitted_it(publisher: Publisher, desk: Desk) -> None:
    draft = submitted(publisher)
    assert draft.state is DraftState.SUBMITTED
    done = publisher.drafts.approve(draft.id, digest=draft.digest, actor="hugo")
    assert done.state is DraftState.PUBLISHED
    assert done.publication is not None
    found = publisher.operations.publication(done.publication)
    assert found is not None
    assert (found.actor, found.message.headline) == ("claire", "Appel à témoins")
    assert kinds(desk) == ["drafted", "submitted", "approved", "published"]
    assert done.approvals == ("hugo",)
    assert desk.journal.audit.verify() == 0


ALIASES = [
    "claire",
    "\N{FULLWIDTH LATIN SMALL LETTER C}laire",
    "cl\N{COMBINING GRAPHEME JOINER}aire",
    "oidc:claire",
    "omar",
]


@pytest.mark.parametrize("author", ALIASES)
def test_nobody_who_wrote_any_revision_approves(publisher: Publisher, desk: Desk, author: str) -> None:
    draft = publisher.drafts.create(appeal(), actor="claire")
    publisher.drafts.revise(draft.id, appeal("Appel à témoins, Sète"), actor="omar")
    draft = publisher.drafts.submit(draft.id, actor="claire")
    with pytest.raises(DraftConflict, match="wrote it, and so cannot approve it"):
        publisher.drafts.approve(draft.id, digest=draft.digest, actor=author)
    assert "approved" not in kinds(desk)


def test_a_draft_expires_when_its_time_is_over(publisher: Publisher, desk: Desk) -> None:
    soon = desk.clock.now() + timedelta(minutes=20)
    draft = submitted(publisher, appeal(next_update_at=soon))
    assert draft.expires_at == soon
    desk.clock.pass_by(1201)
    assert publisher.drafts.get(draft.id).state is DraftState.EXPIRED
    assert publisher.drafts.list() == ()
    with pytest.raises(DraftConflict, match="is expired"):
        publisher.drafts.approve(draft.id, digest=draft.digest, actor="hugo")


@pytest.mark.parametrize("approved", [False, True])
def test_at_the_instant_of_its_end_a_draft_is_neither_approved_nor_published(
    publisher: Publisher, desk: Desk, *, approved: bool
) -> None:
    soon = desk.clock.now() + timedelta(minutes=20)
    draft = submitted(publisher, appeal(next_update_at=soon))
    desk.clock.pass_by(1199.999_999)
    assert publisher.drafts.get(draft.id).state is DraftState.SUBMITTED
    if approved:
        publisher.drafts.approve(draft.id, digest=draft.digest, actor="hugo", publish=False)
    desk.clock.pass_by(0.000_001)
    assert desk.clock.now() == soon
    with pytest.raises(DraftConflict, match="is expired"):
        publisher.drafts.approve(draft.id, digest=draft.digest, actor="ines")
    with pytest.raises(DraftConflict, match="is expired"):
        publisher.publish(draft.message, key="k", actor="claire", draft=draft.id, urgent=REASON)
    assert "published" not in kinds(desk)
    assert publisher.drafts.list() == ()
    assert [each.state for each in publisher.drafts.list(only_open=False)] == [DraftState.EXPIRED]


def test_a_key_names_one_draft(publisher: Publisher) -> None:
    first = publisher.drafts.create(appeal(), actor="claire", key="k")
    assert publisher.drafts.create(appeal(), actor="claire", key="k").id == first.id == publisher.drafts.get("k").id
    with pytest.raises(IdempotencyConflict):
        publisher.drafts.create(appeal("autre"), actor="claire", key="k")
    with pytest.raises(DraftConflict, match="there is none"):
        publisher.drafts.get("nothing")


def test_channels_are_part_of_what_is_approved(publisher: Publisher) -> None:
    draft = submitted(publisher, to=["sky"])
    publisher.drafts.approve(draft.id, digest=draft.digest, actor="hugo", publish=False)
    with pytest.raises(DraftConflict, match="other channels"):
        publisher.publish(draft.message, key=draft.id, actor="claire", draft=draft.id)
    with pytest.raises(DraftConflict, match="its own key"):
        publisher.publish(draft.message, key="another", actor="claire", draft=draft.id, to=["sky"])
    assert publisher.drafts.publish(draft.id, actor="claire").id


# --- the wall


def test_a_message_that_others_must_read_is_not_published_at_once(publisher: Publisher, desk: Desk) -> None:
    with pytest.raises(ApprovalMissing) as caught:
        publisher.publish(appeal(), key="k", actor="claire")
    assert "PN601" in str(caught.value)
    assert "add --submit" in str(caught.value)
    assert kinds(desk) == ["refused_by_check"]
    assert not publisher.preview(appeal()).allowed


@pytest.mark.parametrize("stage", [Stage.END, Stage.CANCELLATION])
def test_a_finding_of_level_second_is_advice_on_an_end(desk: Desk, stage: Stage) -> None:
    """In the preview, at publication, in a draft and in the journal; the same finding stops an update."""
    finding = Finding(code="X1", level=Level.SECOND, field="headline", reason="Un nom.", remedy="Retirez-le.")
    check = Rule(code="X1", title="x", basis="x", find=lambda context: [finding] if context.history.entries else [])
    publisher = reading_publisher(desk.journal, rules=[], checks=[check])
    for incident in ("I1", "I2"):
        opening = appeal(lifecycle=Lifecycle(stage=Stage.OPENING, incident=incident))
        publisher.publish(opening, key=f"open {incident}", actor="claire")
    more = appeal("Encore", lifecycle=Lifecycle(stage=Stage.UPDATE, incident="I1"))
    assert not publisher.preview(more).allowed
    with pytest.raises(ApprovalMissing):
        publisher.publish(more, key="update", actor="claire")
    first, second = (appeal("Fin", lifecycle=Lifecycle(stage=stage, incident=incident)) for incident in ("I1", "I2"))
    preview = publisher.preview(first)
    assert preview.allowed
    done = publisher.publish(first, key="end", actor="claire")
    draft = publisher.drafts.create(second, actor="claire")
    drafted = publisher.drafts.publish(publisher.drafts.submit(draft.id, actor="claire").id, actor="claire")
    for findings in (preview.findings, done.findings, drafted.findings):
        assert [(each.code, each.level) for each in findings] == [("X1", Level.ADVISE)]


def test_rules_match_by_category_or_severity(desk: Desk) -> None:
    calm = ApprovalRule(categories=frozenset({"scam_cyber"}), readers=0)
    publisher = reading_publisher(desk.journal, rules=[calm, RULE])
    tip = Message(category="scam_cyber", headline="Faux conseiller", severity="Severe")
    assert publisher.publish(tip, key="1", actor="claire").id
    assert publisher.publish(
        tip.model_copy(update={"category": "recruitment", "severity": None}), key="2", actor="c"
    ).id
    with pytest.raises(ApprovalMissing):
        publisher.publish(tip.model_copy(update={"category": "recruitment"}), key="3", actor="claire")
    everything = reading_publisher(desk.journal, rules=[ApprovalRule(urgent=False)])
    with pytest.raises(ApprovalMissing, match="Another person must read"):
        everything.publish(tip.model_copy(update={"category": "recruitment"}), key="4", actor="c", urgent=REASON)


def test_who_approves_what_is_blocked_writes_why(desk: Desk) -> None:
    """And the installation may leave it to some."""
    finding = Finding(code="X1", level=Level.BLOCK, field="headline", reason="Un nom.", remedy="Retirez-le.")
    check = Rule(code="X1", title="x", basis="x", find=lambda _context: [finding])
    publisher = reading_publisher(
        desk.journal,
        rules=[],
        checks=[check],
        may=lambda actor, action, _message: action != "overrule" or actor == "chef",
    )
    draft = publisher.drafts.create(appeal(), actor="claire")
    with pytest.raises(ValueError, match="reason: write a reason"):
        publisher.drafts.submit(draft.id, actor="claire")
    draft = publisher.drafts.submit(draft.id, actor="claire", reason="Le parquet est d'accord.")
    with pytest.raises(NotAllowed):
        publisher.drafts.approve(draft.id, digest=draft.digest, actor="hugo", reason=REASON)
    with pytest.raises(ValueError, match="reason: write a reason"):
        publisher.drafts.approve(draft.id, digest=draft.digest, actor="chef")
    done = publisher.drafts.approve(draft.id, digest=draft.digest, actor="chef", reason=REASON)
    assert done.publication is not None
    with desk.journal.read() as connection:
        bodies = connection.execute(select(schema.event.c.body).order_by(schema.event.c.id)).scalars()
        approved, published = [json.loads(body) for body in bodies][-2:]
    assert (approved["reason"], published["overridden"]) == (REASON, ["X1"])
    assert desk.journal.audit.verify() == 0


def test_what_is_revised_after_the_last_approval_is_not_published_by_it(
    publisher: Publisher, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = submitted(publisher)
    review = desk.journal.drafts.review

    def reviewed(*given: Any, **named: Any) -> Draft:
        approved = review(*given, **named)
        harmless = appeal("Autre texte", category="scam_cyber")
        publisher.drafts.revise(draft.id, harmless, actor="claire")  # which needs no reader
        return approved

    monkeypatch.setattr(desk.journal.drafts, "review", reviewed)
    with pytest.raises(DraftConflict):
        publisher.drafts.approve(draft.id, digest=draft.digest, actor="hugo")
    assert published(publisher, draft) is None


# --- what an incident adds


def follow_up(text: str, **changes: Any) -> Message:
    return appeal(text, **{"instruction": "", "lifecycle": Lifecycle(stage=Stage.UPDATE, incident="I1"), **changes})


def test_an_approval_is_of_what_is_published(publisher: Publisher, desk: Desk) -> None:
    """An update without an instruction takes that of its incident, which may change before it is published."""
    publisher.publish(appeal(), key="open", actor="claire", urgent=REASON)
    publisher.drafts.second_reading(desk.journal.drafts.owed()[0].id, actor="hugo")
    draft = submitted(publisher, follow_up("Toujours en cours"))
    publisher.drafts.approve(draft.id, digest=draft.digest, actor="hugo", publish=False)
    changed = follow_up("Autre numéro", instruction="Appelez le 0 800 47 17 47.")
    publisher.publish(changed, key="change", actor="claire", urgent=REASON)
    for stale in (
        lambda: publisher.drafts.publish(draft.id, actor="claire"),
        lambda: publisher.drafts.approve(draft.id, digest=draft.digest, actor="ines"),
    ):
        with pytest.raises(DraftConflict, match=r"takes from its incident or the settings has changed since.*--submit"):
            stale()
    again = publisher.drafts.submit(draft.id, actor="claire")
    assert (again.state, again.revision, again.approvals) == (DraftState.SUBMITTED, 1, ())
    assert again.digest != draft.digest
    with pytest.raises(DraftConflict, match="was changed since you read it"):
        publisher.drafts.approve(draft.id, digest=draft.digest, actor="hugo")
    done = publisher.drafts.approve(draft.id, digest=again.digest, actor="hugo")
    assert done.publication is not None
    found = publisher.operations.publication(done.publication)
    assert found is not None
    assert found.message.instruction == "Appelez le 0 800 47 17 47."
    assert desk.journal.audit.verify() == 0


def test_what_follows_is_urgent_as_its_opening_is_until_that_is_read(publisher: Publisher, desk: Desk) -> None:
    opening = publisher.publish(appeal(), key="open", actor="claire", urgent=REASON)
    publisher.publish(follow_up("Suite"), key="1", actor="claire")
    publisher.publish(follow_up("Suite, encore"), key="2", actor="claire")
    assert {owed.urgent for owed in desk.journal.drafts.owed()} == {REASON}
    assert len(desk.journal.drafts.owed()) == 3
    other = appeal(lifecycle=Lifecycle(stage=Stage.OPENING, incident="I2"))
    with pytest.raises(ApprovalMissing):
        publisher.publish(other, key="other", actor="claire")
    for owed in desk.journal.drafts.owed():
        publisher.drafts.second_reading(owed.id, actor="hugo")
    assert opening.id
    with pytest.raises(ApprovalMissing):
        publisher.publish(follow_up("Suite, enfin"), key="3", actor="claire")


def test_the_hook_is_asked_for_each_step(desk: Desk) -> None:
    asked: list[tuple[str, str]] = []

    def may(actor: str, action: str, message: Message | None) -> bool | str:
        assert message is not None
        asked.append((actor, action))
        return actor != "nobody"

    publisher = reading_publisher(desk.journal, may=may)
    draft = submitted(publisher)
    publisher.drafts.approve(draft.id, digest=draft.digest, actor="hugo")
    other = submitted(publisher, appeal(lifecycle=Lifecycle(stage=Stage.OPENING, incident="I2")))
    for step in (publisher.drafts.return_to_author, publisher.drafts.reject):
        with pytest.raises(NotAllowed):
            step(other.id, digest=other.digest, actor="nobody", reason=REASON)
    publisher.drafts.withdraw(other.id, actor="claire")
    urgent = publisher.publish(appeal(lifecycle=Lifecycle()), key="u", actor="claire", urgent=REASON)
    publisher.drafts.second_reading(urgent.id, actor="hugo")
    assert [f"{actor} {action}" for actor, action in asked] == [
        *("claire draft", "claire submit", "hugo approve", "claire publish", "claire draft", "claire submit"),
        *("nobody return", "nobody reject", "claire withdraw", "claire publish", "claire urgent"),
        "hugo second_reading",
    ]


# --- authenticated readers


@pytest.fixture
def strict(desk: Desk) -> Publisher:
    return reading_publisher(desk.journal, rules=[RULE.model_copy(update={"authenticated": True})])


def test_a_reader_who_is_only_named_does_not_count(strict: Publisher, desk: Desk) -> None:
    draft = strict.drafts.create(appeal(), actor="oidc:1", authenticated=True)
    draft = strict.drafts.submit(draft.id, actor="oidc:1")
    with pytest.raises(DraftConflict, match="only a reader who is authenticated counts"):
        strict.drafts.approve(draft.id, digest=draft.digest, actor="hugo")
    assert kinds(desk) == ["drafted", "submitted"]
    done = strict.drafts.approve(draft.id, digest=draft.digest, actor="oidc:2", authenticated=True)
    assert done.state is DraftState.PUBLISHED
    assert [review.authenticated for review in done.reviews] == [True]
    with desk.journal.read() as connection:
        bodies = connection.execute(select(schema.event.c.body).order_by(schema.event.c.id)).scalars()
        stated = [json.loads(body).get("authenticated", False) for body in bodies]
    assert stated == [True, False, True, False]  # drafted, submitted, approved, published
    assert desk.journal.audit.verify() == 0


def test_the_rule_is_decided_when_the_message_is_stored(publisher: Publisher, strict: Publisher) -> None:
    draft = submitted(publisher)
    publisher.drafts.approve(draft.id, digest=draft.digest, actor="hugo", publish=False)
    with pytest.raises(ApprovalMissing, match="All must be authenticated"):
        strict.drafts.publish(draft.id, actor="claire")
    assert published(publisher, draft) is None
    assert publisher.drafts.publish(draft.id, actor="claire").id


# --- again and again


@pytest.mark.databases
def test_what_is_approved_for_many_keys_is_published_under_each(desk: Desk) -> None:
    publisher = reading_publisher(desk.journal, rules=[ApprovalRule()])
    message = appeal(lifecycle=Lifecycle())
    draft = publisher.drafts.create(message, actor="claire", for_keys="campaign a ")
    draft = publisher.drafts.submit(draft.id, actor="claire")
    with pytest.raises(ApprovalMissing):
        publisher.publish(message, key="campaign a 1", actor="cron", draft=draft.id)
    with pytest.raises(ApprovalMissing):
        publisher.publish(message, key="campaign a 1", actor="cron", draft=draft.id, urgent=REASON)
    done = publisher.drafts.approve(draft.id, digest=draft.digest, actor="hugo")
    assert (done.state, done.publication) == (DraftState.APPROVED, None)
    with pytest.raises(DraftConflict, match="key begins with 'campaign a '"):
        publisher.drafts.publish(draft.id, actor="claire")
    with pytest.raises(DraftConflict, match="keys that begin with 'campaign a '"):
        publisher.publish(message, key="campaign b 1", actor="cron", draft=draft.id)
    with pytest.raises(DraftConflict, match="was changed since"):
        publisher.publish(appeal("x", lifecycle=Lifecycle()), key="campaign a 1", actor="cron", draft=draft.id)
    ids = {
        publisher.publish(message, key=f"campaign a {number}", actor="cron", draft=draft.id).id
        for number in (1, 2, 3, 3)
    }
    assert len(ids) == 3
    found = publisher.drafts.approved_draft(message, key="campaign a 4")
    assert found is not None
    assert (found.id, found.state) == (draft.id, DraftState.APPROVED)
    assert publisher.drafts.approved_draft(message, key="campaign b 4") is None
    assert kinds(desk) == ["drafted", "submitted", "approved", "published", "published", "published"]
    assert desk.journal.audit.verify() == 0
    desk.clock.pass_by(367 * 86400)
    with pytest.raises(DraftConflict, match="is expired"):
        publisher.publish(message, key="campaign a 5", actor="cron", draft=draft.id)
    assert publisher.drafts.approved_draft(message, key="campaign a 4") is None
    assert publisher.drafts.get(draft.id).state is DraftState.EXPIRED
    desk.journal.audit.verify()


# --- urgent


@pytest.mark.databases
def test_an_urgent_publication_owes_a_second_reading(publisher: Publisher, desk: Desk) -> None:
    with pytest.raises(ValueError, match="urgent: write a reason of 10"):
        publisher.publish(appeal(), key="k", actor="claire", urgent="vite")
    done = publisher.publish(appeal(), key="k", actor="claire", urgent=REASON)
    assert publisher.publish(appeal(), key="k", actor="claire", urgent=REASON).id == done.id
    [owed] = desk.journal.drafts.owed()
    assert (owed.publication, owed.urgent) == (done.id, REASON)
    assert owed.second_due_at == desk.clock.now() + timedelta(minutes=30)
    with pytest.raises(DraftConflict, match="wrote or published it"):
        publisher.drafts.second_reading(done.id, actor="claire")
    with pytest.raises(ValueError, match="write a reason"):
        publisher.drafts.second_reading(done.id, actor="hugo", objects=True)
    read_again = publisher.drafts.second_reading(done.id, actor="hugo", objects=True, reason="Le nom est de trop.")
    assert [review.verdict for review in read_again.reviews] == [ReviewVerdict.SECOND_OBJECTION]
    assert desk.journal.drafts.owed() == ()
    with pytest.raises(DraftConflict, match="no second reading"):
        publisher.drafts.second_reading(done.id, actor="ines")
    assert kinds(desk) == ["published", "second_reading"]
    assert desk.journal.audit.verify() == 0


def test_who_publishes_urgently_does_not_read_it_afterwards(publisher: Publisher, desk: Desk) -> None:
    """Nor when another person wrote it."""
    draft = submitted(publisher)
    done = publisher.drafts.publish(draft.id, actor="omar", urgent=REASON)
    with pytest.raises(DraftConflict, match="wrote or published it"):
        publisher.drafts.second_reading(done.id, actor="omar")
    assert publisher.drafts.second_reading(done.id, actor="hugo").second_due_at is None
    assert kinds(desk) == ["drafted", "submitted", "published", "second_reading"]


# --- forgeries


def forge(desk: Desk, draft: Draft, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the document of a draft in the database."""
    table = schema.draft
    with desk.journal.write() as connection:
        content = json.loads(connection.execute(select(table.c.content).where(table.c.id == draft.id)).scalar_one())
        change(content)
        forged = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        connection.execute(update(table).where(table.c.id == draft.id).values(content=forged, state=content["state"]))


def test_a_forged_approval_publishes_nothing(publisher: Publisher, desk: Desk) -> None:
    draft, other = submitted(publisher), submitted(publisher, appeal("Autre"))
    publisher.drafts.approve(other.id, digest=other.digest, actor="hugo", publish=False)
    approval = asdict(publisher.drafts.get(other.id).reviews[0]) | {
        "digest": draft.digest,
        "at": "2026-01-01T00:00:00Z",
    }

    def approve(content: dict[str, Any]) -> None:
        content["reviews"].append(approval)
        content["state"] = "approved"

    forge(desk, draft, approve)
    with pytest.raises(JournalError, match="somebody changed the database"):
        publisher.drafts.publish(draft.id, actor="claire")
    with pytest.raises(JournalError, match="tampered with: draft"):
        desk.journal.audit.verify()


FORGERIES = {
    "reader": "SET content = replace(content, 'hugo', 'ines')",
    "author": "SET content = replace(content, 'claire', 'omar')",
    "text": "SET content = replace(content, 'Appel', 'Avis')",
    "state": "SET state = 'withdrawn'",
    "keys": "SET for_keys = 'campaign '",
    "code": "SET mac = '1:00'",
    "code of another": "SET mac = (SELECT max(mac) FROM pn_draft)",
}


@pytest.mark.parametrize("change", FORGERIES.values(), ids=list(FORGERIES))
def test_a_forgery_of_a_draft_is_detected(publisher: Publisher, desk: Desk, change: str) -> None:
    draft = submitted(publisher)
    publisher.drafts.approve(draft.id, digest=draft.digest, actor="hugo")
    publisher.publish(appeal(lifecycle=Lifecycle()), key="u", actor="claire", urgent=REASON)
    publisher.drafts.create(appeal("Brouillon"), actor="claire")
    desk.journal.audit.verify()
    desk.change_directly(f"UPDATE pn_draft {change}")
    with pytest.raises(JournalError, match="tampered with: draft"):
        desk.journal.audit.verify()


# --- cost


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_damaged_draft_is_named_and_hides_no_other(publisher: Publisher, desk: Desk, content: str) -> None:
    draft = submitted(publisher)
    with desk.journal.write() as connection:
        connection.execute(update(schema.draft).values(content=content, due_at=1, for_keys="k", typed="x"))
    drafts = desk.journal.drafts
    assert (drafts.list(), drafts.owed(), drafts.approved_draft("k", "x")) == ((), (), None)
    with pytest.raises(JournalError, match=f"pn_draft {draft.id} cannot be read"):
        drafts.get(draft.id)
