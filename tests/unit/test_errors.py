import copy
import inspect
import pickle
from datetime import UTC, datetime

import pytest

from policenotify import errors
from policenotify.errors import (
    ApprovalMissing,
    Blocked,
    ChannelError,
    DraftConflict,
    IdempotencyConflict,
    IncidentNotFound,
    InvalidAlert,
    InvalidImage,
    InvalidTransition,
    JournalError,
    JournalMissing,
    JournalTakenAway,
    LostLease,
    MessageRejected,
    MessageTooLong,
    MissingExtra,
    NotAllowed,
    NotErasable,
    NotHeld,
    PolicenotifyError,
    PublishingStopped,
    Refused,
    SettingsError,
    Unavailable,
    Unconfirmed,
    UnknownNetwork,
    UnsupportedVersion,
)
from policenotify.findings import Finding, Level
from policenotify.model.history import Outcome
from policenotify.model.receipt import PublicationFailed, Receipt

AT = datetime(2026, 7, 26, 12, 5, tzinfo=UTC)
ULID = "01K1BB00000000000000000000"
ERROR = Finding(code="PN101", level=Level.BLOCK, field="location", reason="No place is named.", remedy="Name one.")
WARNING = Finding(code="PN201", level=Level.ADVISE, field="headline", reason="It is long.", remedy="Shorten it.")
RECEIPT = Receipt(
    channel="bluesky", language="fr", outcome=Outcome.REFUSED, delivery=1, reason="Too long.", remedy="Shorten it."
)

EVERY = [
    MessageRejected([ERROR, WARNING], ULID),
    ApprovalMissing([ERROR], ULID),
    DraftConflict(ULID, "it was changed since you read it."),
    InvalidTransition("Incident 'x' has ended.", incident="x", allowed_stages=["correction"]),
    IdempotencyConflict("desk-7", ULID),
    IncidentNotFound("There is no incident 'x'.", name="x", nearest="y"),
    MessageTooLong("bluesky", 312, 300),
    UnsupportedVersion("message", 3, 1),
    NotAllowed("Préfet", "purge", "not on duty"),
    NotHeld(999),
    NotErasable("Incident 'x' is open. End it first."),
    InvalidAlert("alert has no scope"),
    InvalidImage("The picture cannot be read."),
    PublishingStopped("claire", "wrong place"),
    SettingsError("channels.bluesky: unknown option 'handel'; did you mean 'handle'?"),
    UnknownNetwork("No installed package offers 'bleusky'."),
    MissingExtra("The network 'bluesky'", "bluesky"),
    JournalError("The journal is read-only.", published="unknown"),
    JournalMissing("There is no journal here. Run the command there:", hint="manage.py policenotify"),
    JournalTakenAway("The journal was deleted while it was in use."),
    LostLease("Delivery 7 was taken over."),
    PublicationFailed([RECEIPT]),
    ChannelError("No."),
    Refused("The post is too long.", remedy="Shorten it.", code="400", fallback="standalone"),
    Blocked("The password was revoked.", remedy="Make a new one.", code="401"),
    Unavailable("Bluesky asks us to wait.", retry_at=AT, whole_channel=True, code="429"),
    Unconfirmed("The connection was lost.", code="ReadTimeout"),
]


def test_every_error_of_the_module_is_tried_here_and_drawn_in_its_tree() -> None:
    classes = {c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__}
    classes |= {PublicationFailed}  # beside `Publication`, which alone raises it
    assert classes == {type(error) for error in EVERY} | {PolicenotifyError}
    assert errors.__doc__ is not None
    drawn = {line.lstrip("│├└─ ").split(" ")[0] for line in errors.__doc__.split("```")[1].splitlines()}
    assert {c.__name__ for c in classes} == drawn - {""}


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("travel", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])  # noqa: S301 - our own bytes
def test_an_error_survives_the_way_from_a_worker_to_its_caller(error: PolicenotifyError, travel: object) -> None:
    assert callable(travel)
    arrived = travel(error)
    assert type(arrived) is type(error)
    assert str(arrived) == str(error) != ""
    assert vars(arrived) == vars(error)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            MessageRejected([ERROR, WARNING], ULID),
            (
                f"Nothing was sent: the message may not go out as it is. The refusal is recorded as {ULID}.\n"
                "  PN101 block · location: No place is named. Name one."
            ),
        ),
        (
            MessageRejected([ERROR], ULID, in_transaction=True),
            (
                "Nothing was sent: the message may not go out as it is. "
                f"The refusal is recorded as {ULID} if your transaction commits.\n"
                "  PN101 block · location: No place is named. Name one."
            ),
        ),
        (
            JournalError("The journal could not be read: x.", published="unknown"),
            "The journal could not be read: x. Nothing was sent that is not in it.",
        ),
        (
            MessageRejected([ERROR]),
            (
                "Nothing was sent: the message may not go out as it is.\n"
                "  PN101 block · location: No place is named. Name one."
            ),
        ),
        (InvalidTransition("Incident 'x' has ended.", incident="x"), "Nothing was sent. Incident 'x' has ended."),
        (IncidentNotFound("There is no incident 'x'.", name="x"), "Nothing was sent. There is no incident 'x'."),
        (
            IdempotencyConflict("desk-7", ULID),
            (
                f"Nothing was sent: the key 'desk-7' already names publication {ULID}, whose content differs. "
                "Use the same content to ask for its receipt, or another key for another message."
            ),
        ),
        (
            MessageTooLong("bluesky", 312, 300),
            (
                "Nothing was sent: on 'bluesky' what, where and the first thing to do take 312 of 300. "
                "Shorten the headline, the street or the first sentence of the instruction."
            ),
        ),
        (
            UnsupportedVersion("message", 3, 1),
            (
                "This message has schema version 3; this policenotify reads up to 1. "
                "Install the release of policenotify that introduced this version, or a later one."
            ),
        ),
        (
            PublishingStopped("claire", "wrong place"),
            "Nothing was sent: everything was stopped by claire (wrong place). Resume first: policenotify resume",
        ),
        (
            PublishingStopped("claire", ""),
            "Nothing was sent: everything was stopped by claire. Resume first: policenotify resume",
        ),
        (
            MissingExtra("The network 'bluesky'", "bluesky"),
            "The network 'bluesky' needs an extra. Install it: pip install 'policenotify[bluesky]'",
        ),
        (PublicationFailed([RECEIPT, RECEIPT]), "bluesky: refused Too long. Shorten it.\n" * 2),
        (Refused("Too long.", remedy="Shorten it.", code="400"), "Too long. [400] Shorten it."),
        (Refused("Too long."), "Too long."),
        (Blocked("Revoked.", code="401"), "Revoked. [401]"),
    ],
)
def test_an_error_has_a_reason_and_a_remedy(error: PolicenotifyError, text: str) -> None:
    assert str(error) == text.removesuffix("\n")


def test_an_error_keeps_what_a_program_needs() -> None:
    assert MessageRejected([ERROR, WARNING], ULID).findings == (ERROR, WARNING)
    assert MessageRejected([ERROR]).publication is None
    illegal = InvalidTransition("…", incident=None, allowed_stages=iter(["opening"]))
    assert (illegal.incident, illegal.allowed_stages) == (None, ("opening",))
    assert (IdempotencyConflict("k", ULID).key, IdempotencyConflict("k", ULID).first) == ("k", ULID)
    fit = MessageTooLong("sms", 161, 160)
    assert (fit.channel, fit.used, fit.limit) == ("sms", 161, 160)
    newer = UnsupportedVersion("Post", 2, 1)
    assert (newer.kind, newer.version, newer.supported) == ("Post", 2, 1)
    assert PublishingStopped("claire", "").by == "claire"
    assert MissingExtra("x", "email").extra == "email"
    assert PublicationFailed([RECEIPT]).receipts == (RECEIPT,)
    refused = Refused("r", remedy="m", code="c", fallback="prepare")
    assert (str(refused.reason), str(refused.remedy), refused.code, refused.fallback) == ("r", "m", "c", "prepare")
    unavailable = Unavailable("r", retry_at=AT, whole_channel=True)
    assert (unavailable.retry_at, unavailable.whole_channel) == (AT, True)
    assert (Unavailable("r").retry_at, Unavailable("r").whole_channel) == (None, False)


def test_only_unconfirmed_leaves_open_whether_the_post_is_out() -> None:
    assert {kind: kind("r").published for kind in (Refused, Blocked, Unavailable, Unconfirmed)} == {
        Refused: "no",
        Blocked: "no",
        Unavailable: "no",
        Unconfirmed: "unknown",
    }


@pytest.mark.parametrize(
    ("error", "python"),
    [
        (SettingsError("…"), ValueError),
        (MissingExtra("x", "y"), ImportError),
        (LostLease("…"), JournalError),
        (UnknownNetwork("…"), SettingsError),
    ],
)
def test_an_error_is_caught_as_what_python_calls_it(error: PolicenotifyError, python: type[Exception]) -> None:
    with pytest.raises(python):
        raise error
