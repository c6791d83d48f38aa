"""The journal in the project's admin: what was published, what became of it, and what a person decides about it.

Rows are read-only. A decision asks for its permission, goes through the publisher's operations, and is recorded in the
journal under the user's name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, TypeVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse

from policenotify.errors import PolicenotifyError
from policenotify.integrations.django import joined
from policenotify.integrations.django.forms import FollowUpForm, MessageForm, PublishingForm
from policenotify.integrations.django.journal_admin import (
    FOLDER,
    JournalAdmin,
    ReasonForm,
    RowDecision,
    may,
    shown,
    take,
)
from policenotify.integrations.django.language import say, say_later
from policenotify.integrations.django.models import (
    ChannelRow,
    DeliveryRow,
    DraftRow,
    EventRow,
    IncidentRow,
    PublicationRow,
)
from policenotify.model.draft import Draft, DraftState
from policenotify.model.history import Outcome
from policenotify.model.lifecycle import IncidentStatus, Stage
from policenotify.publishing.publisher import Publisher
from policenotify.publishing.status import clock_was_set
from policenotify.translation import Text

# --- incidents

_Form = TypeVar("_Form", bound=PublishingForm)


def _for_publishing(kind: type[_Form], data: Any, **how: Any) -> _Form:  # noqa: ANN401 - a QueryDict
    """Return a form whose message is published, urgently or not, or submitted to others, by the button pressed."""
    form = kind(data, as_draft=not {"_draft", "_urgent"}.isdisjoint(data or ()), **how)
    form.fields["reason"] = forms.CharField(label=say(Text("Reason, for its readers")), required=False, max_length=1000)
    return form


def _follow_up(data: Any, row: IncidentRow, *, stage: Stage) -> FollowUpForm:  # noqa: ANN401 - a QueryDict
    return _for_publishing(FollowUpForm, data, incident=row.pk, stage=stage)


def _publish(form: PublishingForm, _row: object, actor: str) -> str | None:
    if "_draft" in form.data:
        # The user has logged in to the project.
        draft = form.submit(actor=actor, reason=form.cleaned_data["reason"], authenticated=True)
        return (
            None
            if draft is None
            else say(Text("Submitted to its readers: {headline}", headline=draft.message.headline))
        )
    publication = form.publish(actor=actor, urgent=form.cleaned_data["reason"] if form.as_draft else "")
    return None if publication is None else say(Text("Published: {headline}", headline=publication.message.headline))


def _is_open(row: IncidentRow) -> bool:
    return bool(row.status == IncidentStatus.OPEN)


@admin.register(IncidentRow)
class IncidentAdmin(JournalAdmin):
    """Incidents, with their publications. An open one can be updated and ended."""

    list_display = ("id", "category", "shown_status", "exercise", "opened_at", "due_at", "reminders")
    list_filter = ("status", "exercise", "category", "opened_at")
    search_fields = ("id",)
    fields = (
        "id", "category", "shown_status", "exercise", "follows", "opened_at", "closed_at", "due_at", "reminders",
        "reminded_at", "published",
    )  # fmt: skip
    readonly_fields = ("shown_status", "published")
    decisions: ClassVar[Mapping[str, RowDecision]] = {
        stage: RowDecision(
            label=label,
            permission="publish",
            applies=_is_open,
            form=partial(_follow_up, stage=stage),
            decide=_publish,
        )
        for stage, label in ((Stage.UPDATE, say_later("Update")), (Stage.END, say_later("End")))
    }

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Ask for the permissions `view` and `publish`: a new incident is opened by its first message."""
        return may(request, "view") and may(request, "publish")

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",  # noqa: ARG002 - Django's own
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002 - Django's own
    ) -> HttpResponse:
        """Publish an opening, or without an incident a message that stands alone."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = _for_publishing(MessageForm, request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            done = _publish(form, None, request.user.get_username())
            if done is not None:
                messages.success(request, done)
                return HttpResponseRedirect(reverse("admin:policenotify_incidentrow_changelist"))
        return self._form_page(request, form, label=say("Publish"), title=say("Publish a message"))

    @admin.display(description=say_later("publications"))  # type: ignore[untyped-decorator]  # Django has no types
    def published(self, row: IncidentRow) -> str:
        """Return its publications as a table."""
        rows = row.publications.order_by("sequence")
        return str(render_to_string(f"{FOLDER}/publications.html", {"rows": rows}))


# --- publications


def _withdraw(form: ReasonForm, row: PublicationRow, actor: str) -> str:
    reason = form.cleaned_data["reason"]
    take(lambda current: current.withdraw(row.pk, actor=actor, reason=reason, wait=0))
    return say(Text("The posts of {row} are being deleted, where the network can.", row=row))


@admin.register(PublicationRow)
class PublicationAdmin(JournalAdmin):
    """Publications with their receipts and findings. Posts can be taken down."""

    list_display = ("created_at", "shown_stage", "headline", "incident", "actor", "shown_state")
    list_display_links = ("created_at", "headline")
    list_filter = ("state", "stage", "created_at")
    list_select_related = ("incident",)
    search_fields = ("=id", "key", "=incident__id", "actor")
    fields = ("id", "key", "shown_state", "incident", "sequence", "shown_stage", "corrects", "actor", "created_at",
              "words", "receipts", "remarks")  # fmt: skip
    readonly_fields = ("shown_state", "shown_stage", "words", "receipts", "remarks")
    decisions: ClassVar[Mapping[str, RowDecision]] = {
        "withdraw": RowDecision(
            label=say_later(Text("Take down")),
            permission="manage",
            applies=lambda row: bool(row.state == "published"),
            form=lambda data, _row: ReasonForm(data),
            decide=_withdraw,
        )
    }

    @admin.display(description=say_later("message"))  # type: ignore[untyped-decorator]  # Django has no types
    def words(self, row: PublicationRow) -> str:
        """Return the fields of the message."""
        fields = row.message if isinstance(row.message, dict) else {}
        return str(render_to_string(f"{FOLDER}/message.html", {"fields": _filled(fields)}))

    @admin.display  # type: ignore[untyped-decorator]  # Django has no types
    def receipts(self, row: PublicationRow) -> str:
        """Return what became of it on each channel, and who sends what waits."""
        return shown(
            lambda current: render_to_string(
                f"{FOLDER}/receipts.html", {"publication": current.operations.publication(row.pk)}
            )
        )

    @admin.display(description=say_later("findings"))  # type: ignore[untyped-decorator]  # Django has no types
    def remarks(self, row: PublicationRow) -> str:
        """Return the findings of the checks."""
        return str(render_to_string(f"{FOLDER}/findings.html", {"lines": row.finding_lines()}))


def _filled(fields: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return the fields of a message that are not empty, by their path: `location.commune`."""
    filled: dict[str, Any] = {}
    for name, value in fields.items():
        path = f"{above}{name}"
        if value in _EMPTY or path == "schema_version":
            continue
        match value:
            case dict():
                filled |= _filled(value, f"{path}.")
            case [{"alt": _}, *_]:  # images
                filled[path] = "\n".join(image["alt"] for image in value)
            case _:
                filled[path] = value
    return filled


_EMPTY: tuple[object, ...] = (None, "", [], {}, False)


# --- deliveries


class HeldFilter(admin.SimpleListFilter):  # type: ignore[misc]  # Django has no types
    """Deliveries that a person must settle, wholly or for some of their people."""

    title = say_later("needs a person")
    parameter_name = "held"

    def lookups(self, _request: HttpRequest, _model_admin: object) -> tuple[tuple[str, str], ...]:
        """Return the choices."""
        return (("1", say("Yes")),)

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ANN401 - Django has no types
        """Return the rows of the choice."""
        if self.value() != "1":
            return queryset
        try:
            with joined() as current:
                return queryset.filter(pk__in=[each.delivery for each in current.operations.held()])
        except PolicenotifyError as error:
            messages.error(request, say(error))
            return queryset.none()


@admin.register(DeliveryRow)
class DeliveryAdmin(JournalAdmin):
    """Deliveries with their attempts. A held one can be settled, after a look on the network."""

    list_display = (
        "id",
        "channel",
        "publication",
        "operation",
        "shown_state",
        "attempts",
        "last_tried_at",
        "shown_reason",
    )
    list_display_links = ("id", "channel")
    list_filter = (HeldFilter, "state", "channel", "operation")
    list_select_related = ("publication",)
    search_fields = ("=id", "=publication__id", "publication__key", "=publication__incident__id")
    fields = ("id", "publication", "channel", "language", "part", "operation", "shown_state", "halt",
              "shown_reason", "shown_remedy", "code", "not_before", "not_after", "last_tried_at", "settled_at",
              "tries")  # fmt: skip
    readonly_fields = ("shown_state", "shown_reason", "shown_remedy", "tries")
    actions = ("resolve_posted", "resolve_again")

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission `resolve`, for the actions."""
        return may(request, "resolve")

    @admin.action(description=say_later(Text("Settle: the post is there")), permissions=["resolve"])  # type: ignore[untyped-decorator]  # Django has no types
    def resolve_posted(self, request: HttpRequest, rows: Sequence[DeliveryRow]) -> None:
        """Record that the posts are there."""
        self._resolve(request, rows, posted=True)

    @admin.action(description=say_later(Text("Settle: it is not there, send it again")), permissions=["resolve"])  # type: ignore[untyped-decorator]  # Django has no types
    def resolve_again(self, request: HttpRequest, rows: Sequence[DeliveryRow]) -> None:
        """Send the posts again."""
        self._resolve(request, rows, posted=False)

    def _resolve(self, request: HttpRequest, rows: Sequence[DeliveryRow], *, posted: bool) -> None:
        for row in rows:
            outcome: list[Outcome] = []

            def decide(current: Publisher, row: DeliveryRow = row, outcome: list[Outcome] = outcome) -> None:
                settled = current.operations.resolve(row.pk, actor=request.user.get_username(), posted=posted)
                outcome.append(settled.outcome)

            try:
                take(decide)
            except PolicenotifyError as error:
                messages.error(request, f"{row}: {say(error)}")
            else:
                self.log_change(request, row, f"Settled: {outcome[0]}")
                messages.success(request, f"{row}: {say(outcome[0])}")

    @admin.display(description=say_later("attempts"))  # type: ignore[untyped-decorator]  # Django has no types
    def tries(self, row: DeliveryRow) -> str:
        """Return its attempts as a table."""
        return str(render_to_string(f"{FOLDER}/attempts.html", {"rows": row.tries.order_by("number")}))


# --- drafts


def _reading(data: Any, row: DraftRow, *, required: bool) -> ReasonForm:  # noqa: ANN401 - a QueryDict
    with joined() as current:
        draft = current.drafts.get(row.pk)
    return ReasonForm(data, required=required, digest=draft.digest, words=_words(draft))


def _words(draft: Draft) -> str:
    """Return the words of a draft, and what readers have decided."""
    fields = _filled(draft.message.model_dump(mode="json"))
    return str(render_to_string(f"{FOLDER}/message.html", {"fields": fields, "draft": draft}))


def _review(form: ReasonForm, row: DraftRow, actor: str, *, verdict: str) -> str:
    reason, digest = form.cleaned_data["reason"], form.cleaned_data["digest"]

    def decide(current: Publisher) -> None:
        if verdict == "approve":
            # The user has logged in to the project. It is published in the transaction, and delivered by the worker.
            current.drafts.approve(row.pk, digest=digest, actor=actor, reason=reason, authenticated=True, wait=0)
        elif verdict in {"second", "objection"}:
            current.drafts.second_reading(
                row.pk, actor=actor, objects=verdict == "objection", reason=reason, authenticated=True
            )
        elif verdict == "return":
            current.drafts.return_to_author(row.pk, digest=digest, actor=actor, reason=reason)
        else:
            current.drafts.reject(row.pk, digest=digest, actor=actor, reason=reason)

    take(decide)
    return f"{row}: {verdict}."


def _is_submitted(row: DraftRow) -> bool:
    return bool(row.state == DraftState.SUBMITTED)


def _is_owed(row: DraftRow) -> bool:
    return row.due_at is not None


@admin.register(DraftRow)
class DraftAdmin(JournalAdmin):
    """Drafts with their words and reviews. Another person than the author reads them."""

    list_display = ("changed_at", "shown_state", "category", "submitted_by", "expires_at", "due_at", "publication")
    list_filter = ("state", "category", "exercise")
    search_fields = ("=id", "key", "submitted_by")
    fields = ("id", "key", "shown_state", "category", "exercise", "submitted_by", "created_at", "changed_at",
              "expires_at", "publication", "due_at", "words")  # fmt: skip
    readonly_fields = ("shown_state", "words")
    decisions: ClassVar[Mapping[str, RowDecision]] = {
        verdict: RowDecision(
            label=label,
            permission="approve",
            applies=applies,
            form=partial(_reading, required=verdict not in {"approve", "second"}),
            decide=partial(_review, verdict=verdict),
        )
        for verdict, label, applies in (
            ("approve", say_later("Approve"), _is_submitted),
            ("return", say_later("Return"), _is_submitted),
            ("reject", say_later("Reject"), _is_submitted),
            ("second", say_later(Text("Second reading: nothing to change")), _is_owed),
            ("objection", say_later(Text("Second reading: to be changed")), _is_owed),
        )
    }

    @admin.display(description=say_later(Text("message and reviews")))  # type: ignore[untyped-decorator]  # Django has no types
    def words(self, row: DraftRow) -> str:
        """Return the words that are read, and what readers have decided."""
        return shown(lambda current: _words(current.drafts.get(row.pk)))


# --- channels and events


@admin.register(ChannelRow)
class ChannelAdmin(JournalAdmin):
    """The state of the installation and of each channel, with stop and resume."""

    def get_urls(self) -> list[Any]:
        """Leave the list alone: a channel has no page of its own."""
        return [each for each in super().get_urls() if each.name == "policenotify_channelrow_changelist"]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show all channels, and take the decisions about them."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            self._decide(request)
            return HttpResponseRedirect(request.path)
        context = {
            **self.admin_site.each_context(request),
            "title": say("Channels"),
            "opts": self.opts,
            "may_resolve": may(request, "resolve"),
            "may_manage": may(request, "manage"),
            **(extra_context or {}),
        }
        try:
            with joined() as current:
                status = current.operations.status(last=0)
                steps = [clock_was_set(step, current.installation.zone) for step in status.clock_steps]
                context |= {"status": status, "channels": current.operations.channels(), "clock_steps": steps}
        except PolicenotifyError as error:
            messages.error(request, say(error))
        return TemplateResponse(request, f"{FOLDER}/channels.html", context)

    def _decide(self, request: HttpRequest) -> None:
        what, channel = request.POST.get("decision"), request.POST.get("channel") or None
        reason = request.POST.get("reason", "")
        if not may(request, "resolve" if what == "resume" and channel else "manage"):
            raise PermissionDenied
        actor = request.user.get_username()
        try:
            if what == "stop":
                take(lambda current: current.operations.stop(actor=actor, reason=reason))
                messages.success(request, say(Text("Everything is stopped.")))
            elif what == "resume":
                take(lambda current: current.operations.resume(channel, actor=actor, reason=reason))
                messages.success(
                    request,
                    say(
                        Text("Everything is resumed.")
                        if channel is None
                        else Text("{channel} is resumed.", channel=channel)
                    ),
                )
        except PolicenotifyError as error:
            messages.error(request, say(error))


@admin.register(EventRow)
class EventAdmin(JournalAdmin):
    """Who did what and when."""

    list_display = ("id", "at", "actor", "kind", "publication", "channel")
    list_filter = ("kind", "channel", "at")
    search_fields = ("actor", "=publication")
