"""What a person decides about a row of the journal: one page for all decisions, and what each of them does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from django import forms
from django.db import transaction
from django.template.loader import render_to_string

from policenotify.errors import PolicenotifyError
from policenotify.integrations.django import joined
from policenotify.integrations.django.database import alias
from policenotify.integrations.django.forms import FollowUpForm, PublishingForm
from policenotify.integrations.django.language import say, say_later
from policenotify.integrations.django.models import DeliveryRow, DraftRow, IncidentRow, JournalModel, PublicationRow
from policenotify.model.draft import DraftState
from policenotify.model.lifecycle import IncidentStatus, Stage
from policenotify.publishing.publisher import Publisher
from policenotify.translation import Text

FOLDER: Final = "admin/policenotify"
"""Where the templates are."""

_Form = TypeVar("_Form", bound=PublishingForm)
_LEAST: Final = 10  # characters of a reason that is demanded


class ReasonForm(forms.Form):  # type: ignore[misc]  # Django has no types
    """A decision with a written reason.

    Args:
        required: The decision needs the reason.
        digest: What the reader has read; see `Draft.digest`.
    """

    reason = forms.CharField(
        label=say_later("Reason"), min_length=_LEAST, max_length=1000, widget=forms.Textarea(attrs={"rows": 3})
    )
    digest = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, required: bool = True, digest: str = "", **options: Any) -> None:  # noqa: ANN401 - Django's own
        super().__init__(*args, **options)
        self.fields["reason"].required = required
        self.fields["digest"].initial = digest


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDecision:
    """What a person may decide about a row.

    Attributes:
        label: Its button, in the language of the user.
        permission: One of those of `Publishing`.
        applies: Whether it can be decided about a row.
        act: Decides it: gets the publisher, the row, and by name `actor`, `reason` and `digest`. `None`: the decision
            is a message, of the stage `stage`.
        about: Returns as HTML what is decided about.
        needs_reason: It needs a written reason.
    """

    label: Any
    permission: str
    applies: Callable[[Any], bool] = lambda _row: True
    act: Callable[..., object] | None = None
    stage: Stage = Stage.UPDATE
    about: Callable[[Publisher, Any], str] = lambda _current, _row: ""
    needs_reason: bool = False

    def form(self, data: Any, row: Any) -> Any:  # noqa: ANN401 - a form; a QueryDict, a row of any table
        """Return its form, with the data that were sent, or `None`."""
        if self.act is None:
            return for_publishing(FollowUpForm, data, incident=row.pk, stage=self.stage)
        digest = ""
        if isinstance(row, DraftRow):
            with joined() as current:
                digest = current.drafts.get(row.pk).digest
        return ReasonForm(data, required=self.needs_reason, digest=digest)

    def take(self, form: Any, row: Any, actor: str) -> str | None:  # noqa: ANN401 - likewise
        """Decide it, and return what has happened; `None`: the form has an error now, or shows a preview."""
        act = self.act
        if act is None:
            return publish_or_submit(form, actor)
        decide_in_transaction(lambda current: act(current, row, actor=actor, **form.cleaned_data))
        return f"{row}: {self.label}"


def for_publishing(kind: type[_Form], data: Any, **how: Any) -> _Form:  # noqa: ANN401 - a QueryDict
    """Return a form whose message is published, urgently or not, or submitted to others, by the button pressed."""
    form = kind(data, as_draft=not {"_draft", "_urgent"}.isdisjoint(data or ()), **how)
    form.fields["reason"] = forms.CharField(label=say(Text("Reason, for its readers")), required=False, max_length=1000)
    return form


def publish_or_submit(form: PublishingForm, actor: str) -> str | None:
    """Publish the message of a form by the button pressed, once its preview was seen."""
    if not form.confirmed:
        return None
    reason = form.cleaned_data["reason"]
    if "_draft" in form.data:  # the user has logged in to the project
        draft = form.submit(actor=actor, reason=reason, authenticated=True)
        text = Text("Submitted to its readers: {headline}")
        return None if draft is None else say(text.filled(headline=draft.message.headline))
    publication = form.publish(actor=actor, urgent=reason if form.as_draft else "")
    text = Text("Published: {headline}")
    return None if publication is None else say(text.filled(headline=publication.message.headline))


def decide_in_transaction(decide: Callable[[Publisher], object]) -> None:
    """Take a decision, in the transaction of `atomic()` if there is one."""
    with joined() as current:
        decide(current)
    transaction.on_commit(current.wake, using=alias())


def read_as_html(read: Callable[[Publisher], str]) -> str:
    """Return what the publisher knows as HTML, or why it cannot be read."""
    try:
        with joined() as current:
            return read(current)
    except PolicenotifyError as error:
        return say(error)


def filled_fields(fields: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return the fields of a message that are not empty, by their path: `location.commune`."""
    filled: dict[str, Any] = {}
    for name, value in fields.items():
        path = f"{above}{name}"
        if value in (None, "", [], {}, False) or path == "schema_version":
            continue
        match value:
            case dict():
                filled |= filled_fields(value, f"{path}.")
            case [{"alt": _}, *_]:  # images
                filled[path] = "\n".join(image["alt"] for image in value)
            case _:
                filled[path] = value
    return filled


def draft_as_html(current: Publisher, row: DraftRow) -> str:
    """Return a draft as its readers need it: its authors, what others decided, and its posts as they would be now."""
    draft = current.drafts.get(row.pk)
    context: dict[str, Any] = {"draft": draft, "fields": filled_fields(draft.message.model_dump(mode="json"))}
    try:
        if draft.publication is None:
            context["preview"] = current.preview(draft.message, to=draft.to or None)
        else:
            context["publication"] = current.operations.publication(draft.publication)
    except PolicenotifyError as error:  # what it follows has changed
        context["problem"] = error
    return str(render_to_string(f"{FOLDER}/draft.html", context))


def message_as_html(row: PublicationRow) -> str:
    """Return the fields of a message. There are none once it was erased."""
    fields = row.message if isinstance(row.message, dict) else {}
    return str(render_to_string(f"{FOLDER}/message.html", {"fields": filled_fields(fields)}))


def receipts_as_html(current: Publisher, row: PublicationRow) -> str:
    """Return what became of a publication on each channel, and who sends what waits."""
    return str(render_to_string(f"{FOLDER}/receipts.html", {"publication": current.operations.publication(row.pk)}))


def _resolve(posted: bool) -> Callable[..., object]:  # noqa: FBT001 - one of two decisions
    return lambda current, row, *, actor, **_: current.operations.resolve(row.pk, actor=actor, posted=posted)


def _read(verdict: str, **more: object) -> Callable[..., object]:
    return lambda current, row, **how: getattr(current.drafts, verdict)(row.pk, **how, **more)


def _second(objects: bool) -> Callable[..., object]:  # noqa: FBT001 - one of two decisions
    return lambda current, row, *, actor, reason, **_: current.drafts.second_reading(
        row.pk, actor=actor, reason=reason, objects=objects, authenticated=True
    )


def _is_published(row: PublicationRow) -> bool:
    return bool(row.state == "published")


def _is_held(row: DeliveryRow) -> bool:
    try:
        with joined() as current:
            return any(each.delivery == row.pk for each in current.operations.held())
    except PolicenotifyError:
        return False


def _is_submitted(row: DraftRow) -> bool:
    return row.state_now == DraftState.SUBMITTED


def _is_owed(row: DraftRow) -> bool:
    return row.due_at is not None


DECISIONS: Final[Mapping[type[JournalModel], Mapping[str, RowDecision]]] = {
    IncidentRow: {
        name: RowDecision(
            label=label, permission="publish", applies=lambda row: row.status == IncidentStatus.OPEN, stage=stage
        )
        for name, label, stage in (
            ("update", say_later("Update"), Stage.UPDATE),
            ("end", say_later("End"), Stage.END),
            ("cancel", say_later("Cancel"), Stage.CANCELLATION),
        )
    },
    PublicationRow: {
        "correct": RowDecision(
            label=say_later("Correct"), permission="publish", applies=_is_published, stage=Stage.CORRECTION
        ),
        "withdraw": RowDecision(
            label=say_later(Text("Take down")),
            permission="manage",
            applies=_is_published,
            act=lambda current, row, *, actor, reason, **_: current.withdraw(
                row.pk, actor=actor, reason=reason, wait=0
            ),
            about=lambda current, row: message_as_html(row) + receipts_as_html(current, row),
            needs_reason=True,
        ),
    },
    DeliveryRow: {
        name: RowDecision(label=label, permission="resolve", applies=_is_held, act=_resolve(posted=name == "posted"))
        for name, label in (
            ("posted", say_later(Text("Settle: the post is there"))),
            ("again", say_later(Text("Settle: it is not there, send it again"))),
        )
    },
    # The user has logged in to the project. What is approved is published in the transaction, and sent by the worker.
    DraftRow: {
        name: RowDecision(
            label=label,
            permission="approve",
            applies=applies,
            act=act,
            about=draft_as_html,
            needs_reason=name not in {"approve", "second"},
        )
        for name, label, applies, act in (
            ("approve", say_later("Approve"), _is_submitted, _read("approve", authenticated=True, wait=0)),
            ("return", say_later("Return"), _is_submitted, _read("return_to_author")),
            ("reject", say_later("Reject"), _is_submitted, _read("reject")),
            ("second", say_later(Text("Second reading: nothing to change")), _is_owed, _second(objects=False)),
            ("objection", say_later(Text("Second reading: to be changed")), _is_owed, _second(objects=True)),
        )
    },
}
"""The decisions about the rows of each table, by the last part of their address."""
