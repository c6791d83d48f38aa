"""A third-party package with networks of its own, installed for a test by its metadata."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from policenotify.channel import Account, Capabilities, Post, PostRef, Request, Services
from policenotify.networks.options import ChannelOptions, Secret
from policenotify.networks.registry import ENTRY_POINT_GROUP
from policenotify.text import Budget

_METADATA = """Metadata-Version: 2.1
Name: lofts
Version: 1.0
Provides-Extra: owl
Requires-Dist: no-such-library>=1 ; extra == 'owl'
Requires-Dist: pydantic ; extra == "owl"
"""
_ENTRIES = f"""[{ENTRY_POINT_GROUP}]
pigeon = tests.support.outside_package:Pigeon
owl = tests.support.outside_package:Owl
magpie = no_such_module:Magpie
"""


class Pigeon:
    """One loft.

    Its birds are slow, but hard to jam. Nobody tells whether they have arrived.
    """

    capabilities = Capabilities(budget=Budget(500), acceptance="unverified", idempotency_window=timedelta(hours=1))

    class Options(ChannelOptions):
        """A loft."""

        loft: str
        """Where
        they live."""
        key: Secret | None = None
        grain: Literal["corn", "peas"] = "corn"
        """What they eat."""
        birds: tuple[int, ...] = (1, 2)
        fast: bool = False
        weight: Annotated[float, Field(description="Grams.")] = 30.0
        more: dict[str, str] | None = None

    def __init__(self, options: Options, services: Services) -> None:
        self.account = options.loft
        self.given = options, services

    def prepare(self, post: Post, reply_to: tuple[PostRef, ...]) -> Request:
        return Request(account=self.account, key=post.key, body={"text": post.text, "answers": len(reply_to)})

    def send(self, request: Request) -> PostRef:
        return PostRef(account=self.account, id=request.key)

    def whoami(self) -> Account:
        return Account(id=self.account, name=self.account)

    def close(self) -> None:
        """Nothing is open."""


class Owl(Pigeon):
    """Return capabilities that follow from the account."""

    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override]  # as most networks have it
        return Capabilities(budget=Budget(len(self.account)))


def install(site: Path) -> None:
    """Write the package's metadata into a folder that is then to be put on the path."""
    about = site / "lofts-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(_METADATA, encoding="utf-8")
    (about / "entry_points.txt").write_text(_ENTRIES, encoding="utf-8")
