"""A shell for tests, and the answer of a command."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from policenotify.journal.clock import SystemClock


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def words(self) -> str:
        """Return the output for people without line breaks."""
        return " ".join(self.out.split())


Run = Callable[..., Ran]

ACCIDENT = (
    "--category", "traffic_accident", "--incident", "2026-4711", "--commune", "34172",
    "--street", "avenue de Toulouse", "--headline", "Accident de la circulation",
    "--instruction", "Évitez le secteur.", "--next-update", "+30m",
)  # fmt: skip


def with_other(option: str, value: str) -> tuple[str, ...]:
    """The accident with another value of one option: an option that is given twice is an error."""
    at = ACCIDENT.index(option) + 1
    return (*ACCIDENT[:at], value, *ACCIDENT[at + 1 :])


class Earlier(SystemClock):
    """The machine's clock, some time ago."""

    def __init__(self, ago: timedelta) -> None:
        self._ago = ago

    def now(self) -> datetime:
        return datetime.now(UTC) - self._ago
