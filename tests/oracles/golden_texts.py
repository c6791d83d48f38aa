"""The French texts of the golden pages, each in one line as its readers understand it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from policenotify.text import to_gsm
from policenotify.text.links import find_links
from policenotify.text.wrap import wrap

GOLDEN: Final = Path(__file__).parents[1] / "golden"
CAMPAIGNS: Final = GOLDEN / "campaigns_2027.txt"

_LANGUAGE: Final = re.compile(r", (?P<language>[a-z]{2})(?:-\w+)?(?:,|$)")  # in a heading or a page's first line
_BLOCK: Final = re.compile(r"--- (?P<name>[^\d:]+?)(?: \d+/\d+.*|: (?P<title>.*))?")
_COUNTS: Final = re.compile(r"\d+ graphemes, .*")
_NOT_READ: Final = re.compile(r"(?:  |! |-- $).*")  # spans, what was left out, the line before a mail's footer
_CAMEL: Final = re.compile(r"(?<=[a-zà-ÿ\d])(?=[A-ZÀ-Þ])|(?<=[A-ZÀ-Þ])(?=[A-ZÀ-Þ][a-zà-ÿ])|(?<=[a-zà-ÿ])(?=\d)")
_WORD: Final = re.compile(r"[^\W_]+")
_QUOTED: Final = re.compile(r'"([^"]*)"')


class GoldenText(NamedTuple):
    """A text of a golden page.

    Attributes:
        page: The page, below `tests/golden`.
        block: The networks and the wording: `bluesky, alone · x, alone`.
        text: The text: a paragraph of a mail, or a line of a post.
    """

    page: str
    block: str
    text: str


def pages() -> Iterator[Path]:
    """Yield the pages of messages in all folders of `tests/golden`. Those of the command line are in `desk`."""
    yield from sorted(page for page in GOLDEN.glob("*/**/*.txt") if "desk" not in page.relative_to(GOLDEN).parts)


def golden_texts() -> Iterator[GoldenText]:
    """Yield the French texts of all pages, and the headlines of the campaigns."""
    for page in pages():
        yield from page_texts(page)
    for line in CAMPAIGNS.read_text("utf-8").splitlines():
        yield GoldenText(CAMPAIGNS.name, "headline", line.split("  ", 2)[2])


def page_texts(page: Path, folder: Path = GOLDEN) -> Iterator[GoldenText]:
    """Yield the French texts of a page, those of SMS with the accents and signs of the other posts."""
    name = str(page.relative_to(folder))
    texts = [GoldenText(name, block, text) for block, text in _paragraphs(page.read_text("utf-8").splitlines())]
    whole = "\n".join(each.text for each in texts)
    accents = _lost_accents(each.text for each in texts if not _is_sms(each.block))
    for each in texts:
        sentences, tags = _as_read(_restored(each.text, accents) if _is_sms(each.block) else each.text, whole)
        yield each._replace(text=sentences)
        if tags:
            yield each._replace(text=tags)


def _is_sms(block: str) -> bool:
    return block.startswith("sms")


def _paragraphs(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the texts of the French blocks with the names of their blocks. Wrapped lines are joined."""
    block, french, physical = "", True, list[str]()
    for number, line in enumerate((*lines, "")):
        header = _BLOCK.fullmatch(line)
        language = _LANGUAGE.search(line) if not number or line.startswith("===") else None
        text = "" if header or language or not (block and french) or _NOT_READ.fullmatch(line) else line
        if text and physical and wrap(" ".join((*physical, text))).split("\n") == [*physical, text]:
            physical.append(text)
            continue
        if physical:
            yield block, " ".join(physical).removeprefix("Subject: ")
        physical = [text] if text else []
        if language:
            block, french = "", language["language"] == "fr"
        elif header:
            block, title = header["name"], header["title"] or ""
            if french and title and not _COUNTS.fullmatch(title):
                yield block, title


def _lost_accents(texts: Iterable[str]) -> dict[str, str]:
    """Return the words of texts by the form that SMS has for them, where it is another and no word of the texts."""
    words = {word for text in texts for word in _WORD.findall(text)}
    return {folded: word for word in words if (folded := to_gsm(word)) != word and folded not in words}


def _restored(text: str, accents: dict[str, str]) -> str:
    text = _WORD.sub(lambda match: accents.get(match[0], match[0]), text)
    return _QUOTED.sub(r"« \1 »", text).replace(" - ", " – ").replace("...", "…").replace("->", "→")


def _as_read(text: str, page: str) -> tuple[str, str]:
    """Return the sentences of a text and the hashtags after them, as the words that the page has for them.

    A handle becomes a name, and an address one that each program recognises.
    """
    end, tags = len(text), list[str]()
    for span in reversed(find_links(text)):
        words = {"url": "https://police.example", "mention": "Paul", "tag": _tag(span.value, page)}[span.kind]
        if span.kind == "tag" and not text[span.end : end].strip() and text[: span.start].strip():
            tags.insert(0, words)
            end = span.start
        else:
            text = f"{text[: span.start]}{words}{text[span.end :]}"
            end += len(words) - (span.end - span.start)
    return text[:end].rstrip(), ", ".join(tags)


def _tag(tag: str, page: str) -> str:
    """Return a hashtag as words: `Saint-Denis` if the page has it elsewhere, else `Saint Denis`."""
    words = _CAMEL.split(tag)
    spelled = "[- ']".join(map(re.escape, words))
    elsewhere = re.search(rf"(?<![#\w]){spelled}(?!\w)", page, re.IGNORECASE)
    return elsewhere[0] if elsewhere and len(words) > 1 else " ".join(words)
