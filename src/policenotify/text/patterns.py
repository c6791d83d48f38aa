"""Regular expressions that are compiled at their first use.

To compile those of all checks and measures takes longer than many a command that needs none of them.
"""

from __future__ import annotations

import re
from typing import cast


class LazyPattern:
    """Stands for a compiled expression. See `lazy_pattern`."""

    def __init__(self, source: str, flags: int) -> None:
        self._arguments = source, flags

    def compiled(self) -> re.Pattern[str]:
        """Return the compiled expression."""
        source, flags = self._arguments
        return re.compile(source, flags)

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        compiled = self.compiled()
        # From now on they are found like those of a compiled one, without this method.
        vars(self).update({each: getattr(compiled, each) for each in dir(compiled) if not each.startswith("_")})
        return getattr(compiled, name)


def lazy_pattern(source: str, flags: int = 0) -> re.Pattern[str]:
    """Return a regular expression that is compiled when one of its methods is first called.

    The functions of `re` do not take it: call its methods.
    """
    return cast("re.Pattern[str]", LazyPattern(source, flags))
