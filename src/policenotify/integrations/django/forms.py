"""Forms that show what they would publish, and whose errors are the findings at their fields.

```python
def open_incident(request):
    form = MessageForm(request.POST or None)
    if form.is_valid() and form.confirmed and (publication := form.publish(actor=request.user.get_username())):
        return redirect("incident", publication.incident)
    return render(request, "alert.html", {"form": form})
```
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar, get_args

from django import forms
from django.core.exceptions import ValidationError as FormError
from django.utils import timezone
from django.utils.translation import get_language
from pydantic import ValidationError

from policenotify.cli.place import location_of
from policenotify.cli.times import TIME_FORMS, parse_future, parse_near
from policenotify.errors import MessageRejected, PolicenotifyError
from policenotify.findings import APPROVAL_MISSING, Finding
from policenotify.integrations.django import joined, publish, publisher
from policenotify.integrations.django.language import say, say_later
from policenotify.model import places
from policenotify.model.cap import Severity
from policenotify.model.draft import Draft
from policenotify.model.languages import best_match
from policenotify.model.lifecycle import Stage
from policenotify.model.location import Location
from policenotify.model.message import Basis, Message
from policenotify.model.receipt import Publication
from policenotify.publishing.arguments import check_names
from policenotify.publishing.reach import Preview
from policenotify.render.locales import PROFILES
from policenotify.translation import Text, text_of
from policenotify.validation import sentence, validation_errors

__all__ = ["FollowUpForm", "MessageForm", "PublishingForm"]

_LINES = {"rows": 4, "cols": 60}
_Done = TypeVar("_Done")


class ReadField(forms.CharField):  # type: ignore[misc]  # Django has no types
    """A text that a function reads, which raises `ValueError` for a wrong one. Its value is `None` without a text."""

    def __init__(self, read: Callable[[str], object], **options: Any) -> None:  # noqa: ANN401 - Django's own
        super().__init__(required=False, **options)
        self._read = read

    def clean(self, value: Any) -> object:  # noqa: ANN401 - Django's own
        """Return what the function reads."""
        typed = str(super().clean(value)).strip()
        try:
            return self._read(typed) if typed else None
        except ValueError as error:
            raise FormError(say(sentence(text_of(error)))) from None


def _time_field(parse: Callable[..., datetime] = parse_future, **options: Any) -> ReadField:  # noqa: ANN401 - Django's own
    """Return the field of a time as the command line reads it, in the zone of the project: `18h30`, `+1h`."""

    def read(typed: str) -> datetime:
        zone = timezone.get_current_timezone()
        return parse(typed, now=datetime.now(zone), zone=zone).astimezone(zone)

    widget = forms.TextInput(attrs={"placeholder": "18h30, +1h, 26/11 18:30"})
    return ReadField(read, max_length=80, widget=widget, **options)


def _words_of(names: Iterable[str]) -> list[tuple[str, Any]]:
    return [("", "—"), *((name, say_later(Text.word(name))) for name in names)]


class PublishingForm(forms.Form):  # type: ignore[misc]  # Django has no types
    """A form that makes a message, checks it as `publish` would, shows its posts, and publishes it.

    A finding that only advises is not an error. It is shown with the posts.

    Args:
        to: The channels or tags, as of `publish`.
        as_draft: Other people read the message first, or afterwards if it is urgent: no finding is an error.

    Attributes:
        preview: Exactly what `publish` would send. `None` if there is no message, or it is published already.
        confirmed: The officer has seen the preview of this very message, or it is published already.
    """

    headline = forms.CharField(label=say_later("Headline"), max_length=160, widget=forms.TextInput(attrs={"size": 60}))
    description = forms.CharField(
        label=say_later("Description"), max_length=10_000, required=False, widget=forms.Textarea(attrs=_LINES)
    )
    instruction = forms.CharField(
        label=say_later("Instruction"), max_length=10_000, required=False, widget=forms.Textarea(attrs=_LINES)
    )
    link = forms.URLField(label=say_later("Link"), required=False, assume_scheme="https")
    commune = ReadField(lambda typed: places.find(typed).code, label=say_later("Commune"))
    street = forms.CharField(label=say_later("Street"), required=False, max_length=200)
    road = forms.CharField(label=say_later("Road"), required=False, max_length=20)
    label = forms.CharField(label=say_later(Text("Place in your words")), required=False, max_length=200)
    starts_at = _time_field(parse_near, label=say_later(Text("Begins")))
    expires_at = _time_field(label=say_later(Text("Valid until")))
    next_update_at = _time_field(label=say_later(Text("Next message at")), help_text=say_later(TIME_FORMS))
    basis = forms.ChoiceField(
        label=say_later(Text("Who agreed to its publication")),
        required=False,
        choices=_words_of(get_args(Basis.model_fields["who"].annotation)),
    )
    reference = forms.CharField(label=say_later(Text("Reference of the agreement")), required=False, max_length=200)
    key = forms.CharField(max_length=200, widget=forms.HiddenInput)  # a repeated submission publishes once
    previewed = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)

    data: Any  # what was sent

    def __init__(self, *args: Any, to: Iterable[str] | None = None, as_draft: bool = False, **options: Any) -> None:  # noqa: ANN401 - Django's own
        super().__init__(*args, **options)
        self.fields["key"].initial = secrets.token_hex(16)
        self.to = tuple(to) if to is not None else None
        self.as_draft = as_draft
        self.preview: Preview | None = None
        self.confirmed = False
        self._message: Message | None = None

    def message(self) -> Message:
        """Return the message, after the fields have been cleaned.

        Raises:
            pydantic.ValidationError: A field is wrong.
            PolicenotifyError: It may not be published now.
        """
        raise NotImplementedError

    def typed(self, *names: str, before: Location | None = None) -> dict[str, Any]:
        """Return the fields of the message that were typed: texts, times, basis and place, and those of some *names*.

        A new street stays in the commune where the incident was *before*.
        """
        given = {name: value for name, value in self.cleaned_data.items() if value}
        of_message = ("description", "instruction", "link", "starts_at", "expires_at", "next_update_at", *names)
        fields = {name: given[name] for name in of_message if name in given}
        if place := location_of(given, before):
            fields["location"] = place
        if "basis" in given:
            fields["basis"] = [{"who": given["basis"], "reference": given.get("reference", "")}]
        return fields

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
                    self.confirmed = True
                    return cleaned  # submitted again: `publish` returns the first publication
                self.preview = current.preview(self._message, to=self.to)
        except ValidationError as error:
            for place, text in validation_errors(error, Message):
                self.add_error(self._field(place), say(text))
        except PolicenotifyError as error:
            self.add_error(None, say(error))
        else:
            self._add(self.preview.findings)
            self._remember(self.preview.message.digest())
        return cleaned

    def _remember(self, digest: str) -> None:
        """Let the page send back what it shows: the message, and the moments that `+1h` and the like mean now."""
        self.confirmed = self.cleaned_data["previewed"] == digest
        times = {name: at.isoformat() for name, at in self.cleaned_data.items() if isinstance(at, datetime)}
        self.data = self.data.copy()
        for name, value in {**times, "previewed": digest}.items():
            self.data[self.add_prefix(name)] = value

    def publish(self, *, actor: str, wait: float = 0, urgent: str = "") -> Publication | None:
        """Publish the message as [`publish`][policenotify.integrations.django.publish] does.

        Args:
            actor: The officer.
            wait: How long to deliver, in seconds.
            urgent: Why it is published before others have read it.

        Returns:
            The publication, or `None` if it was refused after all: the errors of the form state why.
        """
        key = self.cleaned_data.get("key", "")
        return self._done(lambda message: publish(message, key=key, actor=actor, to=self.to, wait=wait, urgent=urgent))

    def submit(self, *, actor: str, reason: str = "", authenticated: bool = False) -> Draft | None:
        """Store the message as a draft and submit it to its readers.

        Args:
            actor: Its author.
            reason: A word to the readers. A finding of level `second` or `block` demands one.
            authenticated: You have verified who the actor is. Some rules demand it.

        Returns:
            The draft, or `None` if it was refused: the errors of the form state why.
        """

        def store(message: Message) -> Draft:
            with joined() as current:
                draft = current.drafts.create(
                    message, actor=actor, key=self.cleaned_data["key"], to=self.to, authenticated=authenticated
                )
                return current.drafts.submit(draft.id, actor=actor, reason=reason)

        return self._done(store)

    def _done(self, act: Callable[[Message], _Done]) -> _Done | None:
        if self._message is None or self.errors:
            raise ValueError("call is_valid() first: the form has errors, and nothing was sent")
        try:
            return act(self._message)
        except MessageRejected as error:
            self._add(error.findings, refused=True)
        except (PolicenotifyError, ValueError) as error:
            self.add_error(None, say(error))
        return None

    def _add(self, findings: Iterable[Finding], *, refused: bool = False) -> None:
        texts = {name: str(self.cleaned_data.get(name) or "") for name in ("headline", *_TEXTS)}
        for finding in findings:
            if finding.blocks and (refused or not self.as_draft):
                excerpt = finding.excerpt(texts)
                text = f"“{excerpt}”: {worded(finding)}" if excerpt else worded(finding)
                self.add_error(self._field(finding.field), FormError(text, code=finding.code))

    def _field(self, path: str) -> str | None:
        """Return the field of the form for a field of the message, or `None` if it has none."""
        names = (_FIELDS.get(part, part) for part in reversed(path.replace("[", ".").split(".")))
        return next((name for name in names if name in self.fields), None)


_TEXTS = ("description", "instruction", "link")
_FIELDS: Mapping[str, str] = {"location": "commune", "lifecycle": "incident"}
_OPTION = re.compile(r"--([a-z]+(?:-[a-z]+)*)")


def worded(finding: Finding) -> str:
    """Return a finding in the user's language, with the fields of the form in place of options of a command."""
    reason, remedy = finding.wording(get_language() or "en")
    if finding.code == APPROVAL_MISSING:
        urgent = "--urgent" in str(remedy)
        remedy = Text("Submit it to its readers, or publish it urgently with a reason.")
        remedy = remedy if urgent else Text("Submit it to its readers.")
    return _OPTION.sub(_label, say(Text.join(" ", (reason, remedy))))


def _label(option: re.Match[str]) -> str:
    name = option[1].replace("-", "_")
    fields = MessageForm.base_fields
    field = fields.get(name) or fields.get(f"{name}_at")
    return str(field.label) if field else option[0]


def _categories() -> list[tuple[str, str]]:
    """Return the categories of the installation with their labels, after an empty choice.

    Without usable settings they are the shipped ones: what is wrong is reported when the form is checked.
    """
    try:
        profiles = publisher().installation.profiles
    except PolicenotifyError:
        profiles = PROFILES
    language = get_language() or "fr"
    named = [(code, best_match(language, each.labels) or code) for code, each in profiles.items()]
    return [("", "—"), *sorted(named, key=lambda each: each[1])]


class MessageForm(PublishingForm):
    """Publishes a standalone message, or the opening of the incident that the officer names, whose end is owed."""

    category = forms.ChoiceField(label=say_later("Category"), choices=_categories)
    severity = forms.ChoiceField(label=say_later("Severity"), required=False, choices=_words_of(Severity))
    incident = forms.CharField(label=say_later("Incident"), required=False, max_length=64)
    exercise = forms.BooleanField(label=say_later("Exercise"), required=False)

    field_order = ("category", "severity", "incident", "commune", "street", "road", "label", "headline")

    def message(self) -> Message:
        """See `PublishingForm.message`."""
        fields = self.typed("category", "headline", "severity", "exercise")
        if incident := self.cleaned_data["incident"]:
            fields["lifecycle"] = {"stage": Stage.OPENING, "incident": incident}
        return Message.model_validate(fields)


class FollowUpForm(PublishingForm):
    """Publishes what follows in an incident, on the channels of its opening.

    Args:
        incident: The id of the incident. Of a correction: the id of the publication that it corrects.
        stage: `update`, `end`, `correction` or `cancellation`.
    """

    def __init__(self, *args: Any, incident: str, stage: Stage | str = Stage.UPDATE, **options: Any) -> None:  # noqa: ANN401 - Django's own
        super().__init__(*args, **options)
        self.incident = incident
        self.stage = Stage(stage)
        if self.stage in {Stage.END, Stage.CANCELLATION}:
            for name in ("commune", "street", "road", "label", "starts_at", "expires_at", "next_update_at"):
                del self.fields[name]
        if self.stage is Stage.CORRECTION:
            label = say(Text("The end was wrong: the incident goes on"))
            self.fields["reopens"] = forms.BooleanField(label=label, required=False)

    def message(self) -> Message:
        """See `PublishingForm.message`."""
        with joined() as current:
            of_one = self.stage is Stage.CORRECTION
            last = current.operations.publication(self.incident) if of_one else None
            last = last or current.operations.incident(self.incident)
        follow = {
            Stage.UPDATE: last.update,
            Stage.END: last.end,
            Stage.CORRECTION: last.correct,
            Stage.CANCELLATION: last.cancel,
        }[self.stage]
        return follow(self.cleaned_data["headline"], **self.typed("reopens", before=last.message.location))
