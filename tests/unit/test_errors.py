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


def test_every_error_of_the_module_is_tried_here() -> None:
    classes = {c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__}
    classes |= {PublicationFailed}  # beside `Publication`, which alone raises it
    assert classes == {type(error) for error in EVERY} | {PolicenotifyError}


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
            JournalError("The journal could not be read: x.", published="unknown"),
            "The journal could not be read: x. Nothing was sent that is not in it.",
        ),
        (
            MessageTooLong("bluesky", 312, 300),
            (
                "Nothing was sent: on 'bluesky' what, where and the first thing to do take 312 of 300. "
                "Shorten the headline, the street or the first sentence of the instruction."
            ),
        ),
        (
            PublishingStopped("claire", "wrong place"),
            "Nothing was sent: everything was stopped by claire (wrong place). Resume first: policenotify resume",
        ),
        (
            MissingExtra("The network 'bluesky'", "bluesky"),
            "The network 'bluesky' needs an extra. Install it: pip install 'policenotify[bluesky]'",
        ),
        (Refused("Too long.", remedy="Shorten it.", code="400"), "Too long. [400] Shorten it."),
    ],
)
def test_an_error_has_a_reason_and_a_remedy(error: PolicenotifyError, text: str) -> None:
    assert str(error) == text.removesuffix("\n")
