"""Publications as JSON documents, with what a program would otherwise have to work out."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import PlainSerializer, computed_field

from policenotify.model.history import Outcome
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.model.post import Operation
from policenotify.model.receipt import Publication, Receipt

Published: TypeAlias = Literal["yes", "partly", "no", "unknown"]
"""Whether readers have a publication."""

_PUBLISHED = frozenset({Outcome.POSTED, Outcome.DELETED, Outcome.SKIPPED, Outcome.SUPERSEDED, Outcome.SUPPRESSED})
_UNKNOWN = frozenset({Outcome.SENDING, Outcome.UNCONFIRMED, Outcome.HELD})

_WITHOUT_NULLS = PlainSerializer(lambda model: model.model_dump(mode="json", exclude_none=True))


class PublicationResult(Publication):
    """A publication with its stage, whether readers have it, and whether a person needs to act."""

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def stage(self) -> Stage:
        """Stage of the message."""
        return self.message.stage

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def published(self) -> Published:
        """Whether readers have it, on all channels or on some."""
        outcomes = {outcome for receipt in self for outcome in _outcomes(receipt)}
        if outcomes & _UNKNOWN:
            return "unknown"
        if Outcome.POSTED not in outcomes:
            return "no"
        return "yes" if outcomes <= _PUBLISHED else "partly"

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order
    @property
    def ok(self) -> bool:
        """Whether no channel needs attention."""
        return super().ok

    @classmethod
    def of(cls, publication: Publication) -> Self:
        """Return the result of a publication."""
        return cls(**vars(publication))


def _outcomes(receipt: Receipt) -> set[Outcome]:
    if receipt.operation is Operation.DELETE and receipt.outcome is Outcome.DELETED:
        return {Outcome.POSTED}  # the deletion is done, for readers to see
    return {receipt.outcome, *(outcome for outcome, count in (receipt.recipients or {}).items() if count)}


PublicationDocument = Annotated[PublicationResult, _WITHOUT_NULLS]
MessageDocument = Annotated[Message, _WITHOUT_NULLS]
