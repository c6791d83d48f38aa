"""Read-only rows in the admin, and the decisions of a person about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse

from policenotify.errors import PolicenotifyError
from policenotify.integrations.django import joined
from policenotify.integrations.django.database import alias
from policenotify.integrations.django.forms import PublishingForm
from policenotify.integrations.django.language import say, say_later
from policenotify.publishing.publisher import Publisher

FOLDER = "admin/policenotify"
"""Where the templates are."""


def may(request: HttpRequest, permission: str) -> bool:
    """Return whether the user has one of the permissions `view publish approve resolve manage`."""
    return bool(request.user.has_perm(f"policenotify.{permission}"))


class ReasonForm(forms.Form):  # type: ignore[misc]  # Django has no types
    """A decision with a written reason.

    Args:
        required: The decision needs the reason, in at least 10 characters.
        digest: What the reader has read; see `Draft.digest`.
        words: The same as HTML, which the page shows above the reason.
    """

    reason = forms.CharField(
        label=say_later("Reason"), min_length=10, max_length=1000, widget=forms.Textarea(attrs={"rows": 3})
    )
    digest = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, required: bool = True, digest: str = "", words: str = "", **options: Any) -> None:  # noqa: ANN401 - Django's own
        super().__init__(*args, **options)
        self.words = words
        self.fields["reason"].required = required
        self.fields["digest"].initial = digest


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDecision:
    """What a person may decide about a row.

    Attributes:
        label: Its button, in the language of the user.
        permission: One of those of `Publishing`.
        applies: Whether it can be decided about a row.
        form: Makes its form, from the data that were sent, or `None`, and the row.
        decide: Decides it, and returns what has happened; `None`: the form has an error now.
    """

    label: Any
    permission: str
    applies: Callable[[Any], bool]
    form: Callable[[Any, Any], Any]
    decide: Callable[[Any, Any, str], str | None]


def _in_words(field: str, label: str) -> object:
    """Return a column that shows a text of the journal, or a state, in the user's language."""

    @admin.display(description=say_later(label), ordering=field)  # type: ignore[untyped-decorator]  # Django has no types
    def column(_admin: object, row: Any) -> str:  # noqa: ANN401 - a row of any table
        return say(getattr(row, field))

    return column


class JournalAdmin(admin.ModelAdmin):  # type: ignore[misc]  # Django has no types
    """Rows that can be seen with the permission `view`, and decisions about them."""

    decisions: ClassVar[Mapping[str, RowDecision]] = {}
    change_form_template = f"{FOLDER}/change_form.html"
    list_per_page = 50
    show_full_result_count = False
    shown_status = _in_words("status", "Status")
    shown_state = _in_words("state", "State")
    shown_stage = _in_words("stage", "Stage")
    shown_reason = _in_words("reason", "Reason")
    shown_remedy = _in_words("remedy", "Remedy")

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 - Django's own
        """Ask for the permission `view`."""
        return may(request, "view")

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission `view`."""
        return may(request, "view")

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's own
        """No one adds a row."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 - Django's own
        """No one changes a row."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:  # noqa: ARG002 - Django's own
        """No one deletes a row."""
        return False

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
            for name in self.decisions
        ]
        return [*pages, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show a row with the decisions that the user may take about it."""
        row = self.get_object(request, unquote(object_id))
        links = [
            (self._url(name, row.pk), each.label)
            for name, each in self.decisions.items()
            if row is not None and may(request, each.permission) and each.applies(row)
        ]
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "decisions": links})

    def _url(self, name: str, key: object) -> str:
        page = f"admin:policenotify_{self.opts.model_name}_{name}"
        return str(reverse(page, args=[quote(key)], current_app=self.admin_site.name))

    def decision_view(self, request: HttpRequest, object_id: str, *, name: str) -> HttpResponse:
        """Ask for what a decision needs, and take it."""
        decision, row = self.decisions[name], self.get_object(request, unquote(object_id))
        if not may(request, "view") or not may(request, decision.permission):
            raise PermissionDenied
        if row is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        page = self._url("change", row.pk)
        try:
            form = decision.form(request.POST if request.method == "POST" else None, row)
            if request.method == "POST" and form.is_valid():
                told = decision.decide(form, row, request.user.get_username())
                if told is not None:
                    self.log_change(request, row, str(decision.label))  # no words: no purge of the journal erases them
                    messages.success(request, told)
                    return HttpResponseRedirect(page)
        except (PolicenotifyError, ValueError) as error:
            messages.error(request, say(error))
            return HttpResponseRedirect(page)
        return self._form_page(request, form, label=decision.label, title=f"{decision.label}: {row}", back=(row, page))

    def _form_page(
        self,
        request: HttpRequest,
        form: Any,  # noqa: ANN401 - Django has no types
        *,
        label: str,
        title: str,
        back: tuple[object, str] | None = None,
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "form": form,
            "label": label,
            "back": back,
            "media": self.media + form.media,
            "publishes": isinstance(form, PublishingForm),
        }
        return TemplateResponse(request, f"{FOLDER}/decision.html", context)


def take(decide: Callable[[Publisher], object]) -> None:
    """Take a decision, in the transaction of `atomic()` if there is one."""
    with joined() as current:
        decide(current)
    transaction.on_commit(current.wake, using=alias())


def shown(read: Callable[[Publisher], str]) -> str:
    """Return what the publisher knows as HTML, or why it cannot be read."""
    try:
        with joined() as current:
            return read(current)
    except PolicenotifyError as error:
        return say(error)
