"""What an installation knows of a language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from policenotify.model.cap import Severity
from policenotify.render.locales import PROFILES, WORDS, Locale


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedLocale:
    """A language that an installation can speak.

    Attributes:
        words: Its fixed phrases.
        labels: What it calls categories, by code.
        hashtags: Their hashtags, without `#`.
        severity_hashtags: Their first hashtags by severity.
        file: Its file; `None`: it is as shipped.
        base: The language that lends what its file does not say; empty: none.
        lent: What another language lends: names of fields, `labels.fire`. Empty where it is only another region's.
    """

    words: Locale
    labels: Mapping[str, str]
    hashtags: Mapping[str, tuple[str, ...]]
    severity_hashtags: Mapping[str, Mapping[Severity, str]]
    file: Path | None = None
    base: str = ""
    lent: tuple[str, ...] = ()

    @classmethod
    def shipped(cls, tag: str) -> Self:
        """One of the languages shipped."""
        return cls(
            words=WORDS[tag],
            labels={code: one.labels[tag] for code, one in PROFILES.items() if tag in one.labels},
            hashtags={code: one.hashtags[tag] for code, one in PROFILES.items() if tag in one.hashtags},
            severity_hashtags={
                code: one.severity_hashtags[tag] for code, one in PROFILES.items() if tag in one.severity_hashtags
            },
        )

    def __str__(self) -> str:
        """For people: where its words come from, and what is not its own."""
        told = [f"{self.file}, words {self.words.version}" if self.file else f"as shipped, words {self.words.version}"]
        if self.lent:
            told.append(f"{len(self.lent)} words stand in {self.base}: {', '.join(self.lent)}")
        return "; ".join(told)
