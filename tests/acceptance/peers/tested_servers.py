"""The tables of `docs/explanation/tested-servers.md`, written by the test run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

_BEGIN: Final = (
    "<!-- what follows is written by the tests: POLICENOTIFY_PEERS=write pytest -m 'peers and not deep' -->\n"
)
_VERSION: Final = re.compile(r"\d+(\.\d+)+")


class Proven:
    """Promises, and the servers on which they were seen to hold."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, dict[str, bool]]] = {"own": {}, "contract": {}}

    def saw(self, test: str, servers: list[str], *, contract: bool, held: bool) -> None:
        """Record the end of a test. A promise holds on a server where all its tests have passed."""
        promise = test.partition("[")[0].removeprefix("test_").replace("_", " ").capitalize()
        row = self._kept["contract" if contract else "own"].setdefault(promise, {})
        for server in servers:
            row[server] = row.get(server, True) and held

    def page(self, page: str, versions: Mapping[str, str]) -> str:
        """The page with new tables.

        Args:
            page: As it is.
            versions: The version of each server, in the order of the columns.
        """
        return page.partition(_BEGIN)[0] + _BEGIN + "\n".join(self._tables(versions)) + "\n"

    def _tables(self, versions: Mapping[str, str]) -> Iterator[str]:
        yield from ("\n| server | version | tests of the contract |", "|---|---|--:|")
        for name, version in versions.items():
            yield f"| {name} | {version} | {len(self._kept_on(name, 'contract')) or ''} |"
        for name in versions:
            if promises := self._kept_on(name, "own"):
                yield f"\n## {name}\n"
                yield from (f"- {promise}" for promise in promises)

    def _kept_on(self, server: str, which: str) -> list[str]:
        return sorted(promise for promise, row in self._kept[which].items() if row.get(server))


def same(one: str, other: str) -> bool:
    """Return whether two pages are equal except for the releases that Debian has today."""
    return _VERSION.sub("N", one) == _VERSION.sub("N", other)
