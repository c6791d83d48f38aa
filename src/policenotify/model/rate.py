"""The rate limit of a channel: posts in a length of time, some of them at once.

The limiter is the *generic cell rate algorithm* (ITU-T I.371, annex A). Its state is one moment, the *theoretical
arrival time* of the next post. Moments are whole microseconds since 1970.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

from policenotify.translation import Text

_FORM = re.compile(
    r"\s*(?P<posts>\d{1,7})\s+per\s+(?:(?P<count>\d{1,5})\s*)?(?P<unit>s|sec|seconds?|min|minutes?|h|hours?|d|days?)"
    r"(?:\s*,\s*(?P<at_once>\d{1,7})\s+at\s+once)?\s*",
    re.ASCII | re.IGNORECASE,
)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}  # by their first letter
_MAX_PER = timedelta(days=366)
_MICROSECOND = timedelta(microseconds=1)


class RateReached(Exception):
    """The rate of a channel is used up. Caught where deliveries are attempted.

    Attributes:
        at: The moment of the next post, in whole microseconds since 1970.
    """

    def __init__(self, at: int) -> None:
        super().__init__(Text("The channel's rate is reached."))
        self.at = at


@dataclass(frozen=True, slots=True)
class Rate:
    """A limit of *posts* in any stretch of *per*, of which *at_once* together.

    After *at_once* posts in a row, the next ones follow evenly, one each `per / (posts - at_once + 1)`. The more posts
    go at once, the longer this interval, and the limit itself is never exceeded. Every attempt counts, whatever its
    outcome.

    Attributes:
        posts: The number of posts, 1 to 9,999,999.
        per: The length of time, at most 366 days.
        at_once: The number of posts together, 1 to *posts*. By default half of them, rounded up.

    Raises:
        ValueError: A number is out of these limits.
    """

    posts: int
    per: timedelta
    at_once: int = 0
    _each: int = field(init=False, repr=False, compare=False)  # microseconds between two posts

    def __post_init__(self) -> None:
        if self.posts < 1 or not timedelta(0) < self.per <= _MAX_PER:
            raise ValueError(Text("a rate is at least 1 post, in a time above 0 and up to 366 days"))
        together = self.at_once or (self.posts + 1) // 2
        if not 1 <= together <= self.posts:
            raise ValueError(Text("of {posts} posts, from 1 to {posts} may leave at once", posts=self.posts))
        object.__setattr__(self, "at_once", together)
        object.__setattr__(self, "_each", -(-(self.per // _MICROSECOND) // (self.posts - together + 1)))  # rounded up

    @classmethod
    def read(cls, text: object) -> Self:
        """Read a rate such as `30 per 5 min` or `100 per day, 20 at once`.

        Raises:
            ValueError: The text is not a rate.
        """
        match = _FORM.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            examples = "'30 per 5 min' or '100 per day, 20 at once'"
            raise ValueError(Text("{text!r} is not a rate; write one such as {examples}", text=text, examples=examples))
        per = timedelta(**{_UNITS[match["unit"][0].lower()]: int(match["count"] or 1)})
        if match["at_once"] and not int(match["at_once"]):
            raise ValueError(Text("with 0 at once nothing would ever leave"))
        return cls(int(match["posts"]), per, int(match["at_once"] or 0))

    def free(self, arrival: int | None, now: int) -> int:
        """Return how many posts may be sent now. *arrival* is `None` at first."""
        return max(0, (now + self.at_once * self._each - self._start(arrival, now)) // self._each)

    def free_at(self, arrival: int | None, now: int, posts: int = 1) -> int:
        """Return the earliest moment for *posts* together, at most *at_once*."""
        return max(now, self._start(arrival, now) + (posts - self.at_once) * self._each)

    def after(self, arrival: int | None, now: int, posts: int = 1) -> int:
        """Return the theoretical arrival time to store when *posts* are sent now."""
        return self._start(arrival, now) + posts * self._each

    def _start(self, arrival: int | None, now: int) -> int:
        """Return the moment from which the next interval counts."""
        full = now + self.at_once * self._each
        if arrival is not None and arrival - full > self.per // _MICROSECOND:
            # Only a clock set back by long, or an earlier rate, leaves such a time: one post now, then evenly.
            return full - self._each
        return max(arrival or now, now)
