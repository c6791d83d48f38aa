"""Publications and their receipts, as a person reads them on a terminal or in a log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from typing import Final, Literal, TypeAlias

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from policenotify.channel import Operation
from policenotify.cli.context import plain
from policenotify.findings import Finding
from policenotify.model.history import Outcome
from policenotify.model.receipt import UNVERIFIED as NOTE
from policenotify.model.receipt import Publication, Receipt, local_time
from policenotify.text import Budget

_INDENT = (0, 0, 0, 4)
_OUT = frozenset({Outcome.POSTED, Outcome.DELETED, Outcome.SKIPPED, Outcome.SUPERSEDED, Outcome.SUPPRESSED})
_DOUBT = frozenset({Outcome.SENDING, Outcome.UNCONFIRMED, Outcome.HELD})


Published: TypeAlias = Literal["yes", "partly", "no", "unknown"]
"""Whether readers have it."""

UNVERIFIED = f"{NOTE[0].lower()}{NOTE[1:-1]}"
"""What a yes is worth on a channel whose acceptance is `unverified`."""


moment: Final = local_time
"""A time as the desk reads it."""


def line(text: str, style: str = "") -> Text:
    """A line that is not to be broken: it may be copied."""
    return Text(plain(text), style=style, no_wrap=True)


def paragraph(text: str, mark: str = "") -> Padding:
    """Words under a line."""
    return Padding(Text(plain(f"{mark}{text}")), _INDENT)


def published(publication: Publication) -> Published:
    """Whether readers have it: `yes`, `no`, `partly` or `unknown`."""
    outcomes = {outcome for receipt in publication for outcome in _outcomes(receipt)}
    if outcomes & _DOUBT:
        return "unknown"
    if Outcome.POSTED not in outcomes:
        return "no"
    return "yes" if outcomes <= _OUT else "partly"


def _outcomes(receipt: Receipt) -> set[Outcome]:
    if receipt.operation is Operation.DELETE and receipt.outcome is Outcome.DELETED:
        return {Outcome.POSTED}  # what was to be done is done, for readers to see
    return {receipt.outcome, *(outcome for outcome, count in (receipt.recipients or {}).items() if count)}


def document(publication: Publication) -> dict[str, object]:
    """A publication as JSON has it."""
    return {
        **publication.model_dump(mode="json", exclude_none=True),
        "stage": publication.message.stage,
        "published": published(publication),
        "in_order": publication.ok,
    }


def about(publication: Publication, zone: tzinfo) -> str:
    """Which publication it is, in one line."""
    message = publication.message
    said = f"{message.stage} of {message.incident}" if message.incident else message.stage
    return f"{moment(publication.at, zone)} · {said} · {message.headline}"


def heading(publication: Publication, zone: tzinfo) -> Text:
    """One line that says which publication it is."""
    return line(about(publication, zone), "bold")


def use(budget: Budget, text: str) -> str:
    """How much of a channel's budget a text takes: `212 of 459 · GSM-7, 2 segments`."""
    used, limit = budget.usage(text)
    told = f"{used} of {limit}"
    return f"{told} · {budget.describe(text)}" if budget.describe else told


def receipts(publication: Publication, zone: tzinfo) -> Iterator[RenderableType]:
    """What became of it, channel by channel."""
    for receipt in publication:
        yield from _receipt(receipt, zone)
    yield from findings(publication.findings)


def in_short(publication: Publication) -> str:
    """Return what became of it in a few words: `✘ 3 posted, 2 waiting (x, sms)`."""
    channels: dict[Outcome, list[str]] = {}
    for receipt in publication:
        channels.setdefault(receipt.outcome, []).append(receipt.channel)
    told = [
        f"{len(names)} {outcome}" + ("" if outcome.ok else f" ({', '.join(names)})")
        for outcome, names in channels.items()
    ]
    return f"{'✔' if publication.ok else '✘'} {', '.join(told)}"


def findings(found: tuple[Finding, ...]) -> Iterator[RenderableType]:
    """What the checks remarked."""
    for one in found:
        yield Padding(Text(plain(str(one))), (0, 0, 0, 2))


def _receipt(receipt: Receipt, zone: tzinfo) -> Iterator[RenderableType]:
    people = ", ".join(f"{count} {outcome}" for outcome, count in (receipt.recipients or {}).items() if count)
    mark = "✔" if receipt.ok else "✘"
    done = "" if receipt.operation is Operation.POST else f" · {receipt.operation}"
    named = f"  {mark} {receipt.channel} ({receipt.language}){done}: {receipt.outcome}"
    told = [named, f"({people})" if people else ""]
    yield line(" ".join(filter(None, told)))
    if receipt.url:
        yield line(f"    {receipt.url}")
    if receipt.standalone and receipt.ref:
        yield paragraph("It stands alone: there was nothing to answer, or it could not be answered.")
    if receipt.reason:
        yield paragraph(f"{receipt.reason}{f' [{receipt.code}]' if receipt.code else ''}")
    if receipt.retry_at and not receipt.outcome.is_final:
        yield paragraph(f"Not before {moment(receipt.retry_at, zone)}.")
    if receipt.remedy:
        yield paragraph(receipt.remedy, "→ ")
    if receipt.note:
        yield paragraph(receipt.note)
