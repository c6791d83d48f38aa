"""What became of a post, in words for a person who was not there."""

from __future__ import annotations

from datetime import tzinfo
from typing import Final

from policenotify.channel import Capabilities, Operation
from policenotify.cli import output
from policenotify.cli.context import plain
from policenotify.cli.report.values import State, Verdict
from policenotify.model.history import Outcome
from policenotify.model.receipt import Receipt

_WORDS: Final[dict[Outcome, tuple[State, str, str]]] = {
    Outcome.WAITING: ("wait", "Waiting", "It is not out yet; it will be tried again."),
    Outcome.SENDING: ("wait", "Being sent", "It is on its way this moment."),
    Outcome.POSTED: ("good", "Published", "Readers have it."),
    Outcome.REFUSED: ("bad", "Refused", "The network does not take it. Readers do not have it."),
    Outcome.UNCONFIRMED: ("wait", "In doubt", "It may be out or not; that is being found out."),
    Outcome.HELD: ("bad", "Held", "It may be out or not, and only a person can tell."),
    Outcome.SUPERSEDED: (
        "none",
        "Overtaken",
        "The incident had ended before it could go out: better silent than stale.",
    ),
    Outcome.SKIPPED: ("none", "Left out", "It is not for this channel, by a setting."),
    Outcome.DELETED: ("none", "Taken back", "It was out, and is no more."),
    Outcome.SUPPRESSED: ("none", "Suppressed", "Nobody here is to be written to."),
}
_ACCEPTED: Final[tuple[State, str, str]] = ("none", "Accepted", "The gateway took it.")
_PARTLY: Final[tuple[State, str, str]] = ("bad", "Published, not to everybody", "Some people do not have it.")
_DONE: Final[dict[Operation, tuple[State, str, str]]] = {
    Operation.EDIT: ("good", "Changed", "Readers have the new words."),
    Operation.DELETE: ("good", "Taken back", "Readers no longer have it."),
}


def verdict(receipt: Receipt, zone: tzinfo, capabilities: Capabilities) -> Verdict:
    """What a receipt says.

    Args:
        receipt: The receipt.
        zone: In whose time.
        capabilities: What the channel can do: what its yes is worth, and whether anything can be answered there.
    """
    state, label, meaning = _words(receipt, verified=capabilities.acceptance == "verified")
    people = ", ".join(f"{count} {outcome}" for outcome, count in (receipt.recipients or {}).items() if count)
    notes = []
    if receipt.standalone and receipt.ref and capabilities.replies:
        notes.append("It stands alone: there was nothing to answer, or it could not be answered.")
    if receipt.retry_at and not receipt.outcome.is_final:
        notes.append(f"Not before {output.moment(receipt.retry_at, zone)}.")
    if receipt.note:
        notes.append(plain(receipt.note))
    return Verdict(
        state=state,
        label=label,
        meaning=meaning,
        reason=plain(receipt.reason),
        code=plain(receipt.code),
        remedy=plain(receipt.remedy),
        people=people,
        notes=tuple(notes),
    )


def _words(receipt: Receipt, *, verified: bool) -> tuple[State, str, str]:
    if receipt.outcome is not Outcome.POSTED:
        return _WORDS[receipt.outcome]
    if not receipt.ok:
        return _PARTLY
    return _DONE.get(receipt.operation, _WORDS[Outcome.POSTED] if verified else _ACCEPTED)
