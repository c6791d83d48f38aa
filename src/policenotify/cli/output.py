"""Publications, receipts and pages as text for a terminal or a log."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Final, TypeAlias

from rich.box import HORIZONTALS
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text as RichText

from policenotify.channel import Operation
from policenotify.errors import SettingsError
from policenotify.findings import Finding
from policenotify.model.history import Outcome
from policenotify.model.message import Message
from policenotify.model.receipt import Publication, ReasonCount, Receipt, counted, local_time
from policenotify.text import Budget
from policenotify.text.characters import visible
from policenotify.translation import AnyText, Text

UNVERIFIED: Final = Text("accepted by the gateway, not verified")
"""The meaning of success on a channel whose acceptance is `unverified`."""

STANDS_ALONE: Final = Text("It stands alone: there was nothing to answer, or it could not be answered.")
"""Of a post that should have answered another."""

TOP: Final = 5
"""Reasons that are shown of each delivery. All of them are in the JSON."""

# Control characters but tab and line feed: a network's answer must not move the officer's cursor.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_COLUMNS = 80  # panels and paragraphs are never wider: longer lines are hard to read


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Keep the exit code when the reader has exited (`policenotify status | head`)."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _console() -> _Console:
    return _Console(highlight=False, markup=False, emoji=False)


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a page in the desk's own words.

    Attributes:
        text: The text. It is in the desk's language once it is printed.
        style: Rich's style of all of it.
        mark: What stands before it.
        indent: Columns at its left.
        copied: It is never wrapped, because it may be copied.
    """

    text: AnyText
    style: str = ""
    mark: str = ""
    indent: int = 0
    copied: bool = False

    def rendered(self, say: Callable[[AnyText], str]) -> RenderableType:
        """Return it in a language."""
        text = RichText(plain(f"{self.mark}{say(self.text)}"), style=self.style, no_wrap=self.copied or None)
        return Padding(text, (0, 0, 0, self.indent)) if self.indent else text


@dataclass(frozen=True, slots=True)
class Frame:
    """What the public reads, between a title and notes in the desk's own words.

    It is open at the sides, and may be wide.
    """

    title: AnyText
    body: RichText
    width: int
    notes: Sequence[AnyText] = ()

    def rendered(self, say: Callable[[AnyText], str]) -> RenderableType:
        """Return it with its title and notes in a language."""
        title = RichText(say(self.title))
        body = RichText.assemble(self.body, *((f"\n{say(note)}", "italic") for note in self.notes))
        return Panel(body, title=title, title_align="left", width=self.width, box=HORIZONTALS, padding=0)


Part: TypeAlias = Block | Frame | RenderableType
"""A part of a page: any other part stays as it is."""


def printed(page: Iterable[Part], look_up: Callable[[AnyText], str] = str) -> str:
    """Return a page as text, at most 80 columns wide, in the language in which *look_up* returns a text."""
    console = _console()
    console.width = min(console.width, _COLUMNS)
    with console.capture() as captured:
        for part in page:
            # A line to copy, such as an address, may be longer than the page.
            copied = isinstance(part, Block) and part.copied
            console.print(part.rendered(look_up) if isinstance(part, (Block, Frame)) else part, soft_wrap=copied)
    return "\n".join(row.rstrip() for row in captured.get().splitlines())


def out(text: str) -> None:
    """Print a text as it is."""
    _console().out(text, highlight=False)


def replace_file(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write a file, so that its readers always find a whole one.

    Without a *mode* its owner alone may read it, as far as the file system knows owners.

    Raises:
        SettingsError: It cannot be written, and is as before.
    """
    draft = path.with_name(f".{path.name[:100]}.{os.getpid()}")
    try:
        try:
            draft.touch(mode=0o600)
            draft.write_bytes(content)
            if mode is not None:
                draft.chmod(mode)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        text = Text("{path} cannot be written ({strerror}).", path=path, strerror=error.strerror)
        raise SettingsError(text) from error


def plain(text: str) -> str:
    """Replace the control characters of a text, which may come from a network, and remove invisible ones."""
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
    return "\n".join(map(visible, text.split("\n")))


def line(text: AnyText, style: str = "") -> Block:
    """Return a line that is never wrapped, because it may be copied."""
    return Block(text, style, copied=True)


def prose(text: AnyText = "", style: str = "") -> Block:
    """Return a text that is wrapped."""
    return Block(text, style)


def paragraph(text: AnyText, mark: str = "") -> Block:
    """Return an indented paragraph. A `str`, as a person or another program wrote it, is not translated."""
    return Block(text, mark=mark, indent=4)


def steps(made: Iterable[object], to_do: Iterable[AnyText]) -> list[Part]:
    """Return the files that were made and the numbered steps that remain."""
    numbered = [paragraph(step, f"{number}. ") for number, step in enumerate(to_do, 1)]
    files = [line(f"  {path}") for path in made]
    return [prose(Text("Made:"), "bold"), *files, prose(Text("Next:"), "bold"), *numbered]


def stage(message: Message) -> AnyText:
    """Return the stage of a message, with its incident."""
    if not message.incident:
        return message.stage
    return Text("{stage} of {incident}", stage=message.stage, incident=message.incident)


def about(publication: Publication, zone: tzinfo) -> Text:
    """Return which publication it is, in one line."""
    at, message = local_time(publication.at, zone), publication.message
    return Text("{at} · {stage} · {headline}", at=at, stage=stage(message), headline=message.headline)


def heading(publication: Publication, zone: tzinfo) -> Block:
    """Return the heading of a publication."""
    return line(about(publication, zone), "bold")


def use(budget: Budget, text: str) -> Text:
    """Return how much of a budget a text takes: `212 of 459 · GSM-7, 2 segments`."""
    used, limit = budget.usage(text)
    count = Text("{used} of {limit}", used=used, limit=limit)
    return Text.join(" · ", (count, budget.describe(text))) if budget.describe else count


def receipts(publication: Publication, zone: tzinfo) -> Iterator[Part]:
    """Yield the receipts of a publication, then its findings."""
    for receipt in publication:
        yield from _receipt(receipt, zone)
    yield from findings(publication.findings, publication.message)


def in_short(publication: Publication) -> Text:
    """Return its outcomes in a few words: `✘ 3 posted, 2 waiting (x, sms)`."""
    channels: dict[Outcome, list[str]] = {}
    for receipt in publication:
        channels.setdefault(receipt.outcome, []).append(receipt.channel)
    counts = [
        counted(outcome, len(names))
        if outcome.ok
        else Text("{count} ({names})", count=counted(outcome, len(names)), names=", ".join(names))
        for outcome, names in channels.items()
    ]
    return Text("{mark} {counts}", mark="✔" if publication.ok else "✘", counts=Text.join(", ", counts))


def findings(remarks: Sequence[Finding], message: Message) -> Iterator[Part]:
    """Yield the findings of the checks, with the words that they are about."""
    if not remarks:
        return
    from policenotify.checks import quotable_texts  # all checks come with it

    texts = quotable_texts(message, remarks)
    for finding in remarks:
        yield Block(finding.quoting(finding.excerpt(texts)), indent=2)


def counts(outcomes: Mapping[Outcome, int] | None) -> Text:
    """Return how many people or deliveries have which outcome: `3 posted, 2 waiting`."""
    return Text.join(", ", [counted(outcome, count) for outcome, count in (outcomes or {}).items() if count])


def reason_line(reason: ReasonCount) -> Text:
    """Return a reason with its count: `1204 refused: The mailbox does not exist. [550]`."""
    words = Text.join(" ", (reason.reason, f"[{reason.code}]" if reason.code else ""))
    return Text("{count}: {words}", count=counted(reason.outcome, reason.count), words=words)


def _receipt(receipt: Receipt, zone: tzinfo) -> Iterator[Part]:
    got_nothing = receipt.outcome in {Outcome.SUPERSEDED, Outcome.SKIPPED}
    mark = "✘" if not receipt.ok else "·" if got_nothing else "✔"
    where: AnyText = f"  {mark} {receipt.channel} ({receipt.language})"
    if receipt.operation is not Operation.POST:
        where = Text("{where} · {operation}", where=where, operation=receipt.operation)
    text = Text("{where}: {outcome}", where=where, outcome=receipt.outcome)
    people = counts(receipt.recipients)
    yield line(Text("{text} ({counts})", text=text, counts=people) if people else text)
    if receipt.url:
        yield line(f"    {receipt.url}")
    if receipt.standalone and receipt.ref:
        yield paragraph(STANDS_ALONE)
    if receipt.reason:
        yield paragraph(Text.join(" ", (receipt.reason, f"[{receipt.code}]" if receipt.code else "")))
    for reason in receipt.reasons[:TOP] if receipt.reasons[1:] else ():  # of one reason the receipt's own tells all
        yield paragraph(reason_line(reason))
    if receipt.retry_at and not receipt.outcome.is_final:
        yield paragraph(Text("Not before {retry_at}.", retry_at=local_time(receipt.retry_at, zone)))
    if receipt.remedy:
        yield paragraph(receipt.remedy, "→ ")
    if receipt.note:
        yield paragraph(receipt.note)
