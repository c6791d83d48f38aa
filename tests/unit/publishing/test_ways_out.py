"""Every refusal has a way out: urgency with a written reason, or another person who approves the message first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policenotify.checks import Rule, Vocabulary, WordListChange
from policenotify.errors import ApprovalMissing, DraftConflict, NotAllowed
from policenotify.findings import NEVER_URGENT, Finding, Level
from policenotify.journal.clock import SystemClock
from policenotify.journal.records import NewPublication
from policenotify.model.cap import Severity
from policenotify.model.lifecycle import IncidentStatus, Lifecycle, Stage
from policenotify.model.location import Location
from policenotify.model.message import Basis, Message
from policenotify.publishing.approval import ApprovalRule, rule_for
from policenotify.publishing.installation import Installation
from policenotify.publishing.publisher import Publisher
from policenotify.testing.samples import PARIS, SENDER
from tests.support.approval import reading_publisher
from tests.support.fake_network import Book, Scripted

REASON = "Accord oral du parquet à 14h05."
FINAL = next(iter(sorted(NEVER_URGENT)))
FOLLOWS = (Stage.UPDATE, Stage.CORRECTION, Stage.END, Stage.CANCELLATION)
STAGES = (Stage.OPENING, Stage.STANDALONE, *FOLLOWS)
OF_EACH_KIND = (Stage.OPENING, Stage.UPDATE, Stage.END)


@dataclass
class Checked:
    """A publisher whose check finds what it is given."""

    publisher: Publisher
    findings: list[Finding]

    def finds(self, *findings: tuple[str, Level]) -> None:
        self.findings[:] = [
            Finding(code=code, level=level, field="headline", reason="Un nom.", remedy="Retirez-le.")
            for code, level in findings
        ]


@pytest.fixture
def checked(tmp_path: Path) -> Iterator[Checked]:
    findings: list[Finding] = []
    check = Rule(code="X1", title="x", basis="x", find=lambda _context: findings)
    publisher = reading_publisher(Book(tmp_path, SystemClock()).journal, rules=[], checks=[check])
    yield Checked(publisher, findings)
    publisher.close()


def message(stage: Stage, severity: Severity, name: str, publisher: Publisher) -> Message:
    """Return a message of a stage, after what must come before it."""
    how: dict[str, Any] = {"category": "recruitment", "headline": "Le texte", "severity": severity}
    if stage is Stage.STANDALONE:
        return Message(**how)
    opening = Message(**how, lifecycle=Lifecycle(stage=Stage.OPENING, incident=name))
    if stage is Stage.OPENING:
        return opening
    first = publisher.publish(opening, key=f"open {name}", actor="claire")
    corrects = first.id if stage is Stage.CORRECTION else None
    return Message(**how, lifecycle=Lifecycle(stage=stage, incident=name, corrects=corrects))


_GRAVE = {Severity.EXTREME, Severity.SEVERE}
_ANY = _GRAVE | {Severity.MODERATE}
_MILD = _ANY - _GRAVE
# Code, level and severity: whether it is published at once, and urgently with a reason. Another person may always.
TABLE = [
    ("X1", Level.ADVISE, _ANY, True, True),
    ("X1", Level.SECOND, _ANY, False, True),
    ("X1", Level.BLOCK, _GRAVE, False, True),
    ("X1", Level.BLOCK, _MILD, False, False),
    (FINAL, Level.SECOND, _ANY, False, True),
    (FINAL, Level.BLOCK, _ANY, False, False),
]
ROWS = [(*row[:2], severity, *row[3:], stage) for row in TABLE for severity in sorted(row[2]) for stage in OF_EACH_KIND]


@pytest.mark.parametrize(("code", "level", "severity", "at_once", "urgently", "stage"), ROWS)
def test_what_each_level_asks_for(
    checked: Checked,
    code: str,
    level: Level,
    severity: Severity,
    at_once: bool,  # noqa: FBT001 - of the table
    urgently: bool,  # noqa: FBT001 - of the table
    stage: Stage,
) -> None:
    publisher = checked.publisher
    made = [message(stage, severity, f"I{number}", publisher) for number in range(3)]
    checked.finds((code, level))
    if level is Level.SECOND and stage in {Stage.END, Stage.CANCELLATION}:
        at_once = True  # there, it is advice
    alone, hurried, read = made

    assert publisher.preview(alone).allowed is at_once
    for one, urgent, passes in ((alone, "", at_once), (hurried, REASON, urgently)):
        with nullcontext() if passes else pytest.raises(ApprovalMissing, match="PN601"):
            publisher.publish(one, key=urgent or "at once", actor="claire", urgent=urgent)
    owed = [draft.urgent for draft in publisher.drafts.list() if draft.second_due_at]
    assert owed == ([REASON] if urgently and not at_once else [])
    draft = publisher.drafts.create(read, actor="claire")
    if at_once:
        assert publisher.drafts.publish(draft.id, actor="claire").id
        return
    draft = publisher.drafts.submit(draft.id, actor="claire", reason=REASON)
    with pytest.raises(DraftConflict, match="wrote it, and so cannot approve it"):
        publisher.drafts.approve(draft.id, digest=draft.digest, actor="claire", reason=REASON)
    if level is Level.BLOCK:
        with pytest.raises(ValueError, match="reason: write a reason"):
            publisher.drafts.approve(draft.id, digest=draft.digest, actor="hugo")
    reason = REASON if level is Level.BLOCK else ""
    done = publisher.drafts.approve(draft.id, digest=draft.digest, actor="hugo", reason=reason)
    assert done.publication is not None
    assert done.second_due_at is None


_SEEN = st.sampled_from([("X1", Level.BLOCK), ("X1", Level.SECOND), ("X1", Level.ADVISE), (FINAL, Level.BLOCK)])
_RULES = st.builds(
    ApprovalRule,
    categories=st.sampled_from([frozenset(), frozenset({"recruitment"}), frozenset({"fire"})]),
    at_least=st.sampled_from([None, Severity.SEVERE, Severity.MINOR]),
    stages=st.sampled_from([ApprovalRule().stages, tuple(Stage), (Stage.END,)]),
    readers=st.integers(0, 2),
    urgent=st.booleans(),
)


@given(
    seen=st.lists(_SEEN, max_size=3),
    rules=st.lists(_RULES, max_size=2),
    severity=st.sampled_from(Severity),
    stage=st.sampled_from(STAGES),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_refused_has_a_way_out(
    tmp_path_factory: pytest.TempPathFactory,
    seen: list[tuple[str, Level]],
    rules: list[ApprovalRule],
    severity: Severity,
    stage: Stage,
) -> None:
    """Whatever the checks find and the rules of approval are: its own text names what helps, and that helps."""
    findings: list[Finding] = []
    check = Rule(code="X1", title="x", basis="x", find=lambda _context: findings)
    journal = Book(tmp_path_factory.mktemp("way"), SystemClock()).journal
    with reading_publisher(journal, rules=[], checks=[check]) as publisher:
        made = [message(stage, severity, f"I{number}", publisher) for number in range(2)]
        publisher.drafts._installation = replace(
            publisher.installation, channels=publisher.installation.channel_configs.values(), approval=tuple(rules)
        )
        Checked(publisher, findings).finds(*seen)
        try:
            publisher.publish(made[0], key="alone", actor="claire")
        except ApprovalMissing as error:
            [missing] = [one for one in error.findings if one.code == "PN601"]
        else:
            return
        if "--urgent" in str(missing.remedy):
            assert publisher.publish(made[0], key="urgent", actor="claire", urgent=REASON).id
        assert "--submit" in str(missing.remedy)
        draft = publisher.drafts.create(made[1], actor="claire")
        draft = publisher.drafts.submit(draft.id, actor="claire", reason=REASON)
        for reader in ("hugo", "ines"):
            if not draft.publication:
                draft = publisher.drafts.approve(draft.id, digest=draft.digest, actor=reader, reason=REASON)
        assert draft.publication


# --- what counts


@pytest.mark.parametrize("level", [Level.BLOCK, Level.SECOND])
def test_a_rule_that_asks_for_nobody_lifts_no_finding(checked: Checked, level: Level) -> None:
    publisher = checked.publisher
    publisher.drafts._installation = replace(
        publisher.installation,
        channels=publisher.installation.channel_configs.values(),
        approval=(ApprovalRule(readers=0),),
    )
    tip = message(Stage.STANDALONE, Severity.MODERATE, "", publisher)
    assert publisher.publish(tip, key="nothing found", actor="claire").id
    checked.finds(("X1", level))
    draft = publisher.drafts.create(tip, actor="claire")
    draft = publisher.drafts.submit(draft.id, actor="claire", reason=REASON)
    with pytest.raises(ApprovalMissing, match="PN601"):
        publisher.drafts.publish(draft.id, actor="claire")


def _usual(category: str) -> Severity:
    return Severity.EXTREME if category == "armed_threat" else Severity.MINOR


def _message(stage: Stage = Stage.OPENING, **changes: Any) -> Message:
    return Message(
        **{
            "category": "fire",
            "headline": "x",
            "severity": "Minor",
            "lifecycle": Lifecycle(stage=stage, incident="I"),
            **changes,
        }
    )


def _new(made: Message, earlier: tuple[Message, ...] = ()) -> NewPublication:
    return NewPublication(
        id="P",
        key="k",
        digest=made.digest(),
        message=made,
        status=IncidentStatus.OPEN,
        expected_sequence=1 + len(earlier),
        actor="claire",
        at=SystemClock().now(),
        earlier=earlier,
    )


SEVERE = ApprovalRule(at_least=Severity.SEVERE)
ARMED = ApprovalRule(categories=frozenset({"armed_threat"}))


@pytest.mark.parametrize(
    ("made", "earlier", "rule", "needed"),
    [
        (_message(), (), SEVERE, False),
        (_message(severity="Severe"), (), SEVERE, True),
        (_message(category="armed_threat", severity="Minor"), (), SEVERE, True),
        (_message(Stage.UPDATE), (_message(severity="Extreme"),), SEVERE, True),
        (_message(Stage.UPDATE), (_message(category="armed_threat"),), ARMED, True),
        (_message(Stage.UPDATE), (_message(category="armed_threat", severity="Minor"),), SEVERE, True),
        (_message(Stage.END), (_message(severity="Extreme"),), SEVERE, False),
        (_message(Stage.END, severity="Extreme"), (_message(severity="Extreme"),), SEVERE, False),
        (_message(Stage.END, severity="Extreme"), (_message(),), SEVERE, True),
        (_message(Stage.END, category="armed_threat", severity="Extreme"), (_message(),), ARMED, True),
        (_message(Stage.END, category="armed_threat"), (_message(category="armed_threat"),), ARMED, False),
        (_message(Stage.CANCELLATION, category="armed_threat"), (_message(),), SEVERE, True),
    ],
)
def test_the_highest_of_message_category_and_incident_counts(
    made: Message,
    earlier: tuple[Message, ...],
    rule: ApprovalRule,
    needed: bool,  # noqa: FBT001 - of the table
) -> None:
    assert (rule_for([rule], _new(made, earlier), _usual) is not None) is needed


SECOND = Message(category="arrest", headline="Trois personnes interpellées", location=Location(commune="34172"))
BLOCKED = SECOND.model_copy(update={"headline": "Jean Dupont interpellé", "basis": (Basis(who="prosecutor"),)})
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
