"""The journal in the project's admin: what was published, what became of it, and what a person decides about it.

Rows are read-only. A decision asks for its permission, goes through the publisher's operations, and is recorded in the
journal under the user's name.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse

from policenotify.errors import PolicenotifyError
from policenotify.integrations.django import joined
from policenotify.integrations.django.database import alias
from policenotify.integrations.django.decisions import (
    DECISIONS,
    FOLDER,
    decide_in_transaction,
    draft_as_html,
    for_publishing,
    message_as_html,
    publish_or_submit,
    read_as_html,
    receipts_as_html,
)
from policenotify.integrations.django.forms import MessageForm, PublishingForm
from policenotify.integrations.django.language import say, say_later
from policenotify.integrations.django.models import (
    ChannelRow,
    DeliveryRow,
    DraftRow,
    EventRow,
    IncidentRow,
    PublicationRow,
)
from policenotify.model.draft import DraftState
from policenotify.translation import Text


def may(request: HttpRequest, permission: str) -> bool:
    """Return whether the user has one of the permissions `view publish approve resolve manage`."""
    return bool(request.user.has_perm(f"policenotify.{permission}"))


def _may_view(_admin: object, request: HttpRequest, _row: object = None) -> bool:
    return may(request, "view")


def _may_never(_admin: object, _request: HttpRequest, _row: object = None) -> bool:
    return False


def _in_words(field: str, label: str, *, ordering: str = "") -> object:
    """Return a column that shows a text of the journal, or a state, in the user's language."""

    @admin.display(description=say_later(label), ordering=ordering or field)  # type: ignore[untyped-decorator]  # Django has no types
    def column(_admin: object, row: Any) -> str:  # noqa: ANN401 - a row of any table
        return say(getattr(row, field))

    return column


class JournalAdmin(admin.ModelAdmin):  # type: ignore[misc]  # Django has no types
    """Rows that can be seen with the permission `view`, and the pages of their decisions."""

    change_form_template = f"{FOLDER}/change_form.html"
    list_per_page = 50
    show_full_result_count = False
    shown_status = _in_words("status", "Status")
    shown_state = _in_words("state", "State")
    shown_stage = _in_words("stage", "Stage")
    shown_reason = _in_words("reason", "Reason")
    shown_remedy = _in_words("remedy", "Remedy")
    has_view_permission = has_module_permission = _may_view
    has_add_permission = has_change_permission = has_delete_permission = _may_never

    def get_urls(self) -> list[Any]:
        """Add a page for each decision."""
        # An approval may publish, which commits by itself.
        alone = transaction.non_atomic_requests(using=alias())
        pages = [
            path(
                f"<path:object_id>/{name}/",
                self.admin_site.admin_view(alone(partial(self.decision_view, name=name))),
                name=f"policenotify_{self.opts.model_name}_{name}",
            )
            for name in DECISIONS.get(self.model, {})
        ]
        return [*pages, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show a row with the decisions that the user may take about it."""
        row = self.get_object(request, unquote(object_id))
        links = [
            (self._url(name, row.pk), each.label)
            for name, each in DECISIONS.get(self.model, {}).items()
            if row is not None and may(request, each.permission) and each.applies(row)
        ]
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "decisions": links})

    def _url(self, name: str, key: object) -> str:
        page = f"admin:policenotify_{self.opts.model_name}_{name}"
        return str(reverse(page, args=[quote(key)], current_app=self.admin_site.name))

    def decision_view(self, request: HttpRequest, object_id: str, *, name: str) -> HttpResponse:
        """Show what is decided about, ask for what the decision needs, and take it."""
        decision, row = DECISIONS[self.model][name], self.get_object(request, unquote(object_id))
        if not may(request, "view") or not may(request, decision.permission):
            raise PermissionDenied
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        page = self._url("change", row.pk)
        try:
            form = decision.form(request.POST if request.method == "POST" else None, row)
            if request.method == "POST" and form.is_valid():
                done = decision.take(form, row, request.user.get_username())
                if done is not None:
                    self.log_change(request, row, str(decision.label))  # no words: no purge of the journal erases them
                    messages.success(request, done)
                    return HttpResponseRedirect(page)
        except (PolicenotifyError, ValueError) as error:
            messages.error(request, say(error))
            return HttpResponseRedirect(page)
        about = read_as_html(lambda current: decision.about(current, row))
        title = f"{decision.label} – {row}"
        return self.form_page(request, form, label=decision.label, title=title, about=about, back=(row, page))

    def form_page(self, request: HttpRequest, form: Any, **more: object) -> HttpResponse:  # noqa: ANN401 - Django has no types
        """Return the page of a form: `label` of its button, `title`, and what a decision is about."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "form": form,
            "publishes": isinstance(form, PublishingForm),
            **more,
        }
        return TemplateResponse(request, f"{FOLDER}/decision.html", context)


@admin.register(IncidentRow)
class IncidentAdmin(JournalAdmin):
    """Incidents, with their publications."""

    list_display = ("id", "category", "shown_status", "exercise", "opened_at", "due_at", "reminders")
    list_filter = ("status", "exercise", "category", "opened_at")
    search_fields = ("id",)
    fields = (
        "id", "category", "shown_status", "exercise", "follows", "opened_at", "closed_at", "due_at", "reminders",
        "reminded_at", "published",
    )  # fmt: skip
    readonly_fields = ("shown_status", "published")

    def has_add_permission(self, request: HttpRequest, _row: object = None) -> bool:
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
        form = for_publishing(MessageForm, request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            done = publish_or_submit(form, request.user.get_username())
            if done is not None:
                messages.success(request, done)
                return HttpResponseRedirect(reverse("admin:policenotify_incidentrow_changelist"))
        return self.form_page(request, form, label=say("Publish"), title=say("Publish a message"))

    @admin.display(description=say_later("publications"))  # type: ignore[untyped-decorator]  # Django has no types
    def published(self, row: IncidentRow) -> str:
        """Return its publications as a table."""
        rows = row.publications.order_by("sequence")
        return str(render_to_string(f"{FOLDER}/publications.html", {"rows": rows}))


@admin.register(PublicationRow)
class PublicationAdmin(JournalAdmin):
    """Publications with their receipts and findings."""

    list_display = ("created_at", "shown_stage", "headline", "incident", "actor", "shown_state")
    list_display_links = ("created_at", "headline")
    list_filter = ("state", "stage", "created_at")
    list_select_related = ("incident",)
    search_fields = ("=id", "key", "=incident__id", "actor")
    fields = ("id", "key", "shown_state", "incident", "sequence", "shown_stage", "corrects", "actor", "created_at",
              "words", "receipts", "remarks")  # fmt: skip
    readonly_fields = ("shown_state", "shown_stage", "words", "receipts", "remarks")

    @admin.display(description=say_later("message"))  # type: ignore[untyped-decorator]  # Django has no types
    def words(self, row: PublicationRow) -> str:
        """Return the fields of the message."""
        return message_as_html(row)

    @admin.display  # type: ignore[untyped-decorator]  # Django has no types
    def receipts(self, row: PublicationRow) -> str:
        """Return what became of it on each channel, and who sends what waits."""
        return read_as_html(lambda current: receipts_as_html(current, row))

    @admin.display(description=say_later("findings"))  # type: ignore[untyped-decorator]  # Django has no types
    def remarks(self, row: PublicationRow) -> str:
        """Return the findings of the checks."""
        return str(render_to_string(f"{FOLDER}/findings.html", {"lines": row.finding_lines()}))


@admin.register(DeliveryRow)
class DeliveryAdmin(JournalAdmin):
    """Deliveries. A held one can be settled, after a look on the network."""

    list_display = (
        "id", "channel", "publication", "operation", "shown_state", "attempts", "last_tried_at", "shown_reason",
    )  # fmt: skip
    list_display_links = ("id", "channel")
    list_filter = ("state", "channel", "operation")
    list_select_related = ("publication",)
    search_fields = ("=id", "=publication__id", "publication__key", "=publication__incident__id")
    fields = ("id", "publication", "channel", "language", "part", "operation", "shown_state", "halt",
              "shown_reason", "shown_remedy", "code", "not_before", "not_after", "attempts",
              "last_tried_at", "settled_at")  # fmt: skip
    readonly_fields = ("shown_state", "shown_reason", "shown_remedy")


class DraftStateFilter(admin.SimpleListFilter):  # type: ignore[misc]  # Django has no types
    """Drafts in a state. One whose time is over is expired."""

    title = say_later("State")
    parameter_name = "state"

    def lookups(self, _request: HttpRequest, _model_admin: object) -> tuple[tuple[str, str], ...]:
        """Return the choices."""
        return tuple((state.value, say(state.value)) for state in DraftState)

    def queryset(self, _request: HttpRequest, queryset: Any) -> Any:  # noqa: ANN401 - Django has no types
        """Return the rows of the choice."""
        if self.value() is None:
            return queryset
        if self.value() == DraftState.EXPIRED:
            return queryset.filter(DraftRow.is_late() | Q(state=DraftState.EXPIRED))
        return queryset.filter(state=self.value()).exclude(DraftRow.is_late())


@admin.register(DraftRow)
class DraftAdmin(JournalAdmin):
    """Drafts with their posts and reviews. Another person than the author reads them."""

    list_display = ("changed_at", "shown_state", "category", "submitted_by", "expires_at", "due_at", "publication")
    list_filter = (DraftStateFilter, "category", "exercise")
    search_fields = ("=id", "key", "submitted_by")
    fields = ("id", "key", "shown_state", "category", "exercise", "submitted_by", "created_at", "changed_at",
              "expires_at", "publication", "due_at", "words")  # fmt: skip
    readonly_fields = ("shown_state", "words")
    shown_state = _in_words("state_now", "State", ordering="state")

    @admin.display(description=say_later(Text("message and reviews")))  # type: ignore[untyped-decorator]  # Django has no types
    def words(self, row: DraftRow) -> str:
        """Return the posts that are read, and what readers have decided."""
        return read_as_html(lambda current: draft_as_html(current, row))


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
                context["status"] = current.operations.status(last=0)  # remains if a held publication cannot be read
                context["held"] = current.operations.held()
        except PolicenotifyError as error:
            messages.error(request, say(error))
        return TemplateResponse(request, f"{FOLDER}/channels.html", context)

    def _decide(self, request: HttpRequest) -> None:
        stops, channel = request.POST.get("decision") == "stop", request.POST.get("channel") or None
        if not may(request, "resolve" if channel and not stops else "manage"):
            raise PermissionDenied
        how = {"actor": request.user.get_username(), "reason": request.POST.get("reason", "")}
        try:
            decide_in_transaction(
                lambda current: current.operations.stop(**how) if stops else current.operations.resume(channel, **how)
            )
        except PolicenotifyError as error:
            messages.error(request, say(error))
            return
        done = Text("Everything is stopped.") if stops else Text("Everything is resumed.")
        messages.success(request, say(Text("{channel} is resumed.", channel=channel) if channel else done))


@admin.register(EventRow)
class EventAdmin(JournalAdmin):
    """Who did what and when."""

    list_display = ("id", "at", "actor", "kind", "publication", "channel")
    list_filter = ("kind", "channel", "at")
    search_fields = ("actor", "=publication")
