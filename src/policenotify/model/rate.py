"""How fast a channel may go: so many posts in so long a time, and so many of them at once.

The limiter is the *generic cell rate algorithm* (ITU-T I.371, annex A): all it needs to remember is one moment, the
*theoretical arrival time* of the next post. Moments are whole microseconds since 1970.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

EXAMPLES = "'30 per 5 min' or '100 per day, 20 at once'"
"""Forms of a rate, for an error's text."""

_FORM = re.compile(
    r"\s*(?P<posts>\d{1,7})\s+per\s+(?:(?P<count>\d{1,5})\s*)?(?P<unit>s|sec|seconds?|min|minutes?|h|hours?|d|days?)"
    r"(?:\s*,\s*(?P<at_once>\d{1,7})\s+at\s+once)?\s*",
    re.ASCII | re.IGNORECASE,
)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}  # by their first letter
_LONGEST = timedelta(days=366)
_MICROSECOND = timedelta(microseconds=1)


class RateReached(Exception):
    """Nothing more may leave on a channel before a time; caught where deliveries are attempted.

    Attributes:
        at: The first moment at which it may, in whole microseconds since 1970.
    """

    def __init__(self, at: int) -> None:
        super().__init__("The channel's rate is reached.")
        self.at = at


@dataclass(frozen=True, slots=True)
class Rate:
    """Never more than *posts* in any stretch of *per*, of which *at_once* may leave together.

    After *at_once* posts in a row the next ones follow evenly, one each `per / (posts - at_once + 1)`: the more may
    leave at once, the slower it goes on, and the limit itself is never exceeded. Its own time has every post that
    leaves, whatever becomes of it.

    Attributes:
        posts: How many, 1 to 9,999,999.
        per: In how long, at most 366 days.
        at_once: How many together, 1 to *posts*; by default half of them, rounded up.

    Raises:
        ValueError: A number is out of these limits.
    """

    posts: int
    per: timedelta
    at_once: int = 0
    _each: int = field(init=False, repr=False, compare=False)  # microseconds between two posts

    def __post_init__(self) -> None:
        if self.posts < 1 or not timedelta(0) < self.per <= _LONGEST:
            raise ValueError("a rate is at least 1 post, in more than no time and at most 366 days")
        together = self.at_once or (self.posts + 1) // 2
        if not 1 <= together <= self.posts:
            raise ValueError(f"of {self.posts} posts no more can leave at once, and no fewer than 1")
        object.__setattr__(self, "at_once", together)
        object.__setattr__(self, "_each", -(-(self.per // _MICROSECOND) // (self.posts - together + 1)))  # rounded up

    @classmethod
    def read(cls, text: str) -> Self:
        """The rate that a text such as `30 per 5 min` or `100 per day, 20 at once` names.

        Raises:
            ValueError: It names none.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no rate; write one such as {EXAMPLES}")
        per = timedelta(**{_UNITS[found["unit"][0].lower()]: int(found["count"] or 1)})
        if found["at_once"] and not int(found["at_once"]):
            raise ValueError("with 0 at once nothing would ever leave")
        return cls(int(found["posts"]), per, int(found["at_once"] or 0))

    def free(self, arrival: int | None, now: int) -> int:
        """How many may leave now, given the theoretical arrival time that was remembered (`None`: none ever left)."""
        return max(0, (now + self.at_once * self._each - self._from(arrival, now)) // self._each)

    def free_at(self, arrival: int | None, now: int, wanted: int = 1) -> int:
        """From when on *wanted*, at most *at_once*, may leave together; at the earliest now."""
        return max(now, self._from(arrival, now) + (wanted - self.at_once) * self._each)

    def after(self, arrival: int | None, now: int, posts: int = 1) -> int:
        """The theoretical arrival time to be remembered when so many leave now."""
        return self._from(arrival, now) + posts * self._each

    def _from(self, arrival: int | None, now: int) -> int:
        """From where on the next post's time is counted."""
        full = now + self.at_once * self._each
        if arrival is not None and arrival - full > self.per // _MICROSECOND:
            # Only a clock that was set back by long, or another rate before, leaves such a time: one, then evenly.
            return full - self._each
        return max(arrival or now, now)
