"""Forms that publish, whose errors are the findings at their fields.

```python
def open_incident(request):
    form = MessageForm(request.POST or None)
    if form.is_valid() and (publication := form.publish(actor=request.user.get_username())):
        return redirect("incident", publication.incident)
    return render(request, "alert.html", {"form": form})
```
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError as FormError
from django.utils import timezone
from django.utils.translation import get_language
from pydantic import ValidationError

from policenotify.errors import MessageRejected, PolicenotifyError
from policenotify.findings import APPROVAL_MISSING, Finding
from policenotify.integrations.django import joined, publish, publisher
from policenotify.integrations.django.language import say, say_later
from policenotify.model import places
from policenotify.model.cap import Severity
from policenotify.model.draft import Draft
from policenotify.model.languages import best_match
from policenotify.model.lifecycle import Stage
from policenotify.model.message import Message
from policenotify.model.receipt import Publication
from policenotify.publishing.arguments import check_names
from policenotify.publishing.reach import Preview
from policenotify.render.locales import PROFILES
from policenotify.translation import AnyText, Text, text_of
from policenotify.validation import FORMS, sentence

__all__ = ["FollowUpForm", "MessageForm", "PublishingForm"]

_HEADLINE = 160  # characters, as of `Message`
_PROSE = 10_000  # likewise
_LINES = {"rows": 4, "cols": 80}


class CommuneField(forms.CharField):  # type: ignore[misc]  # Django has no types
    """A commune by its INSEE code or its name. Its value is the code, or an empty text."""

    def clean(self, value: Any) -> str:  # noqa: ANN401 - Django's own
        """Return the code of the one commune that is meant."""
        typed = str(super().clean(value)).strip()
        try:
            return places.find(typed).code if typed else ""
        except ValueError as error:
            raise FormError(say(sentence(text_of(error)))) from None


class TimeField(forms.DateTimeField):  # type: ignore[misc]  # Django has no types
    """A time in the zone of the project, also in one with `USE_TZ = False`."""

    def to_python(self, value: Any) -> datetime | None:  # noqa: ANN401 - Django's own
        """Return the time with its zone."""
        at: datetime | None = super().to_python(value)
        return timezone.make_aware(at) if at is not None and timezone.is_naive(at) else at


class PublishingForm(forms.Form):  # type: ignore[misc]  # Django has no types
    """A form that makes a message, checks it as `publish` would, and publishes it.

    A finding that only advises is not an error. It is in `advice` after `is_valid()`.

    Args:
        to: The channels or tags, as of `publish`.
        as_draft: Other people read the message first, or afterwards if it is urgent: all findings are advice.

    Attributes:
        advice: What the checks advise.
        preview: Exactly what `publish` would send. `None` if there is no message, or it is published already.
    """

    headline = forms.CharField(
        label=say_later("Headline"), max_length=_HEADLINE, widget=forms.TextInput(attrs={"size": 80})
    )
    description = forms.CharField(
        label=say_later("Description"), max_length=_PROSE, required=False, widget=forms.Textarea(attrs=_LINES)
    )
    instruction = forms.CharField(
        label=say_later("Instruction"), max_length=_PROSE, required=False, widget=forms.Textarea(attrs=_LINES)
    )
    link = forms.URLField(label=say_later("Link"), required=False, assume_scheme="https")
    key = forms.CharField(max_length=200, widget=forms.HiddenInput)  # a repeated submission publishes once

    def __init__(self, *args: Any, to: Iterable[str] | None = None, as_draft: bool = False, **options: Any) -> None:  # noqa: ANN401 - Django's own
        super().__init__(*args, **options)
        self.fields["key"].initial = secrets.token_hex(16)
        self.to = tuple(to) if to is not None else None
        self.as_draft = as_draft
        self.advice: tuple[str, ...] = ()
        self.preview: Preview | None = None
        self._message: Message | None = None

    def message(self) -> Message:
        """Return the message, after the fields have been cleaned.

        Raises:
            pydantic.ValidationError: A field is wrong.
            PolicenotifyError: It may not be published now.
        """
        raise NotImplementedError

    def clean_key(self) -> str:
        """Return the key, unless the page was tampered with."""
        key = str(self.cleaned_data["key"])
        try:
            check_names(key, key)
        except ValueError as error:
            raise FormError(say(error)) from error
        return key

    def clean(self) -> dict[str, Any]:
        """Check the message, and add what is wrong to the fields that it is about."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        try:
            with joined() as current:
                self._message = self.message()
                if current.operations.publication(cleaned["key"]) is not None:
                    return cleaned  # submitted again: `publish` returns the first publication
                self.preview = current.preview(self._message, to=self.to)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False, include_context=False):
                path = ".".join(map(str, detail["loc"]))
                form = FORMS.get(path) if detail["type"] == "string_pattern_mismatch" else None
                text = form or detail["msg"].removeprefix("Value error, ")
                self.add_error(self._field(path, text), say(text))
        except PolicenotifyError as error:
            self.add_error(None, say(error))
        else:
            self._add(self.preview.findings, self.preview.message)
        return cleaned

    def publish(self, *, actor: str, wait: float = 0, urgent: str = "") -> Publication | None:
        """Publish the message as [`publish`][policenotify.integrations.django.publish] does.

        Args:
            actor: The officer.
            wait: How long to deliver, in seconds.
            urgent: Why it is published before others have read it.

        Returns:
            The publication, or `None` if it was refused after all: the errors of the form state why.
        """
        message = self._valid()
        try:
            return publish(message, key=self.cleaned_data["key"], actor=actor, to=self.to, wait=wait, urgent=urgent)
        except MessageRejected as error:
            self._add(error.findings, message, refused=True)
        except (PolicenotifyError, ValueError) as error:
            self.add_error(None, say(error))
        return None

    def submit(self, *, actor: str, reason: str = "", authenticated: bool = False) -> Draft | None:
        """Store the message as a draft and submit it to its readers.

        Args:
            actor: Its author.
            reason: A word to the readers. A finding of level `second` or `block` demands one.
            authenticated: You have verified who the actor is. Some rules demand it.

        Returns:
            The draft, or `None` if it was refused: the errors of the form state why.
        """
        message = self._valid()
        try:
            with joined() as current:
                draft = current.drafts.create(
                    message, actor=actor, key=self.cleaned_data["key"], to=self.to, authenticated=authenticated
                )
                return current.drafts.submit(draft.id, actor=actor, reason=reason)
        except MessageRejected as error:
            self._add(error.findings, message, refused=True)
        except (PolicenotifyError, ValueError) as error:
            self.add_error(None, say(error))
        return None

    def _valid(self) -> Message:
        if self._message is None or self.errors:
            raise ValueError("call is_valid() first: the form has errors, and nothing was sent")
        return self._message

    def _add(self, findings: Iterable[Finding], message: Message, *, refused: bool = False) -> None:
        advises = self.as_draft and not refused
        texts = _texts(message)
        advice = []
        for finding in findings:
            excerpt = finding.excerpt(texts)
            words = say(Text.join(" ", (finding.reason, _remedy(finding))))
            text = f"“{excerpt}”: {words}" if excerpt else words
            if advises or not finding.blocks:
                advice.append(text)
            else:
                self.add_error(self._field(finding.field), FormError(text, code=finding.code))
        self.advice = tuple(advice)

    def _field(self, path: str, text: AnyText = "") -> str | None:
        """Return the field of the form for a field of the message, or `None` if it has none."""
        for part in reversed([*(name for name, _, rest in [str(text).partition(":")] if rest), *path.split(".")]):
            name = _FIELDS.get(part, part)
            if name in self.fields:
                return name
        return None


_FIELDS: Mapping[str, str] = {"location": "commune", "lifecycle": "incident"}


def _remedy(finding: Finding) -> AnyText:
    """Return what to do here, where there are no options of a command."""
    if finding.code != APPROVAL_MISSING:
        return finding.remedy
    if "--urgent" in str(finding.remedy):
        return Text("Submit it to its readers, or publish it urgently with a reason.")
    return Text("Submit it to its readers.")


def _texts(message: Message) -> dict[str, str]:
    """Return the texts that a finding may be about, by field."""
    return {name: str(getattr(message, name) or "") for name in ("headline", "description", "instruction", "link")}


def _categories() -> list[tuple[str, str]]:
    """Return the categories of the installation with their labels.

    Without usable settings they are the shipped ones: what is wrong is reported when the form is checked.
    """
    try:
        profiles = publisher().installation.profiles
    except PolicenotifyError:
        profiles = PROFILES
    language = get_language() or "fr"
    named = [(code, best_match(language, each.labels) or code) for code, each in profiles.items()]
    return sorted(named, key=lambda each: each[1])


class MessageForm(PublishingForm):
    """Publishes a standalone message, or the opening of the incident that the officer names, whose end is owed."""

    category = forms.ChoiceField(label=say_later("Category"), choices=_categories)
    severity = forms.ChoiceField(
        label=say_later("Severity"), required=False, choices=[("", "—"), *((each, each) for each in Severity)]
    )
    incident = forms.CharField(label=say_later("Incident"), required=False, max_length=64)
    commune = CommuneField(label=say_later("Commune"), required=False)
    street = forms.CharField(label=say_later("Street"), required=False, max_length=200)
    road = forms.CharField(label=say_later("Road"), required=False, max_length=20)
    label = forms.CharField(label=say_later(Text("Place in your words")), required=False, max_length=200)
    starts_at = TimeField(label=say_later(Text("Begins")), required=False)
    expires_at = TimeField(label=say_later(Text("Valid until")), required=False)
    next_update_at = TimeField(label=say_later(Text("Next message at")), required=False)
    exercise = forms.BooleanField(label=say_later("Exercise"), required=False)

    field_order = ("category", "severity", "incident", "commune", "street", "road", "label", "headline")

    def message(self) -> Message:
        """See `PublishingForm.message`."""
        typed = self.cleaned_data
        place = {name: typed[name] for name in ("commune", "street", "label") if typed[name]}
        if typed["road"]:
            place["road"] = {"road": typed["road"].upper().replace(" ", "")}
        fields = {
            name: typed[name]
            for name in ("severity", "link", "starts_at", "expires_at", "next_update_at")
            if typed[name]
        }
        if place:
            fields["location"] = place
        if typed["incident"]:
            fields["lifecycle"] = {"stage": Stage.OPENING, "incident": typed["incident"]}
        return Message.model_validate(
            {
                **fields,
                "category": typed["category"],
                "headline": typed["headline"],
                "description": typed["description"],
                "instruction": typed["instruction"],
                "exercise": typed["exercise"],
            }
        )


class FollowUpForm(PublishingForm):
    """Publishes what follows in an incident, on the channels of its opening.

    Args:
        incident: The id of the incident.
        stage: `update`, `end` or `cancellation`.
    """

    next_update_at = TimeField(label=say_later(Text("Next message at")), required=False)

    def __init__(self, *args: Any, incident: str, stage: Stage | str = Stage.UPDATE, **options: Any) -> None:  # noqa: ANN401 - Django's own
        super().__init__(*args, **options)
        self.incident = incident
        self.stage = Stage(stage)
        if self.stage is not Stage.UPDATE:
            del self.fields["next_update_at"]

    def message(self) -> Message:
        """See `PublishingForm.message`."""
        with joined() as current:
            last = current.operations.incident(self.incident)
        follow = {Stage.UPDATE: last.update, Stage.END: last.end, Stage.CANCELLATION: last.cancel}[self.stage]
        names = ("description", "instruction", "link", "next_update_at")
        typed = {name: value for name in names if (value := self.cleaned_data.get(name))}
        return follow(self.cleaned_data["headline"], **typed)
