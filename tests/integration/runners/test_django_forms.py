"""Forms of a Django project: what is typed, what is wrong at which field, and what is published."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import connections, transaction
from django.test import RequestFactory
from django.utils import translation

from policenotify.integrations.django import joined
from policenotify.integrations.django.forms import FollowUpForm, MessageForm
from policenotify.integrations.django.models import IncidentRow
from policenotify.integrations.django.testing import empty_journal, recorded
from policenotify.testing.publisher import Recording
from tests.integration.runners.officers import (
    ADMIN,
    fields,
    journal_alias,
    officer,
    on_each_database,
    open_incident,
    publish_form,
)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"commune": "99999"}, "commune", "There is no commune"),
        ({"commune": "34000"}, "commune", "Did you mean 34172 Montpellier"),
        ({"commune": "Sainte-Colombe"}, "commune", "12 communes are named"),
        ({"commune": "\ud800"}, "commune", ""),
        ({"commune": "", "street": ""}, "commune", "where it is"),
        ({"road": "the A9"}, "road", "write a road such as A9"),
        ({"category": "meteor"}, "category", ""),
        ({"incident": "../etc"}, "incident", "write 1 to 64 letters"),
        ({"incident": "", "next_update_at": "2020-01-01 10:00"}, "next_update_at", ""),
        ({"starts_at": "2030-01-02 10:00", "expires_at": "2030-01-01 10:00"}, "expires_at", "later than starts_at"),
        ({"link": "https://user:pw@example.org/"}, "link", ""),
        ({"key": "4711\nopen"}, "key", "printable"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    desk: Recording, incident: str, changes: dict[str, str], field: str, words: str
) -> None:
    form = MessageForm(fields(**{"incident": incident, **changes}))
    assert not form.is_valid()
    assert words in str(form.errors[field].as_data())
    with pytest.raises(ValueError, match="is_valid"):
        form.publish(actor="claire")
    assert desk.posts == ()


def test_a_finding_names_its_words_in_the_users_language(desk: Recording, incident: str) -> None:
    with translation.override("fr"):
        form = MessageForm(fields(incident=incident, severity="Severe", instruction=""))
        assert not form.is_valid()
        [error] = form.errors["next_update_at"].as_data()
        past = MessageForm(fields(incident=incident, next_update_at="2020-01-01 10:00"))
        assert "déjà passé" in str(past.errors["next_update_at"].as_data())
        near = MessageForm(fields(incident=incident, commune="34000"))
        assert "Vouliez-vous dire 34172 Montpellier" in str(near.errors["commune"].as_data())
        assert "Lieu, dans vos propres mots" in near.as_p()
        page = officer("view", "manage").get(f"{ADMIN}/channelrow/", headers={"accept-language": "fr"})
    assert "Tout arrêter" in page.content.decode()
    assert error.code == "PN104"
    assert "--" not in str(error)
    assert "(Prochain point à +1h" in str(error)
    assert desk.posts == ()


def test_a_category_is_chosen_and_times_are_typed(desk: Recording, incident: str) -> None:
    assert '<option value="" selected>' in str(MessageForm()["category"])
    assert list(MessageForm(fields(category="")).errors) == ["category"]
    now = datetime.now(UTC)
    form = MessageForm(fields(incident=incident, starts_at="-1h", next_update_at="+1h", expires_at="demain 18h30"))
    assert form.is_valid(), form.errors
    assert form.preview is not None
    message = form.preview.message
    assert message.starts_at is not None
    assert message.next_update_at is not None
    assert message.starts_at < now < message.next_update_at
    assert not form.confirmed
    shown = {name: form[name].value() for name in form.fields}  # as the page sends it back, later
    assert shown["next_update_at"].startswith(f"{message.next_update_at.astimezone(ZoneInfo('Europe/Paris')):%FT%H:%M}")
    again = MessageForm(shown)
    assert again.is_valid(), again.errors
    assert again.confirmed
    assert desk.posts == ()


def test_a_correction_gives_the_right_street(desk: Recording, incident: str) -> None:
    opened = open_incident(incident)
    desk.deliver()
    agent = officer("view", "publish")
    page = f"{ADMIN}/publicationrow/{opened.id}/correct/"
    assert page in agent.get(f"{ADMIN}/publicationrow/{opened.id}/change/").content.decode()
    typed = {
        "key": "c",
        "headline": "Accident avenue de Lodève",
        "street": "avenue de Lodève",
        "instruction": "Évitez le secteur.",
    }
    assert publish_form(agent, page, typed).status_code == 302
    desk.deliver()
    assert "avenue de Lodève" in desk.on("bluesky")[-1].text
    assert "avenue de Toulouse" not in desk.on("bluesky")[-1].text


def test_a_wrong_end_is_taken_back(desk: Recording, incident: str) -> None:
    open_incident(incident)
    end = FollowUpForm({"key": f"{incident}-e", "headline": "Fin d'intervention"}, incident=incident, stage="end")
    assert end.is_valid(), end.errors
    ended = end.publish(actor="claire")
    assert ended is not None
    desk.deliver()
    agent = officer("view", "publish")
    typed = {"key": "c", "headline": "Le pont reste fermé", "instruction": "Évitez le secteur.", "reopens": "on"}
    assert publish_form(agent, f"{ADMIN}/publicationrow/{ended.id}/correct/", typed).status_code == 302
    assert IncidentRow.objects.get(pk=incident).status == "open"


def test_what_follows_nothing_is_an_error_of_the_form(desk: Recording, incident: str) -> None:
    unknown = FollowUpForm({"key": "x", "headline": "Fin"}, incident=incident, stage="end")
    assert not unknown.is_valid()
    assert incident in str(unknown.non_field_errors())
    open_incident(incident)
    again = MessageForm(fields(incident=incident))
    assert not again.is_valid()
    assert "already open" in str(again.errors)
    assert desk.posts == ()


def test_a_key_that_named_another_message_is_refused(desk: Recording, incident: str) -> None:
    first = MessageForm(fields(incident="", commune="34172"))
    assert first.is_valid()
    assert first.publish(actor="claire")
    other = MessageForm({**first.data, "headline": "Accident grave"})
    assert other.is_valid()
    assert other.publish(actor="claire") is None
    assert other.non_field_errors()
    assert incident not in str(desk.posts)


def test_the_views_of_the_page_publish(desk: Recording, incident: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / "howto" / "django.md").read_text("utf-8")
    [block] = [each for each in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "def open_incident" in each]
    views: dict[str, Any] = {}
    exec(block, views)  # noqa: S102 - our own page
    views["render"] = lambda _request, _template, context: context["form"]
    agent = get_user_model().objects.get(username=officer("publish").agent)

    def post(view: str, typed: dict[str, str], *arguments: str) -> Any:
        request = RequestFactory().post("/", typed)
        request.user = agent
        return views[view](request, *arguments)

    assert list(post("open_incident", fields(commune="99999")).errors) == ["commune"]
    typed = fields(incident=incident)
    seen = post("open_incident", typed)["previewed"].value()
    assert post("open_incident", {**typed, "previewed": seen}).url == f"/incidents/{incident}/"
    typed = {"key": "end", "headline": "Fin d'intervention"}
    seen = post("end_incident", typed, incident)["previewed"].value()
    assert post("end_incident", {**typed, "previewed": seen}, incident).status_code == 302
    assert IncidentRow.objects.get(pk=incident).status == "ended"
    request = RequestFactory().get("/")
    request.user = get_user_model().objects.get(username=officer("view").agent)
    with pytest.raises(PermissionDenied):
        views["open_incident"](request)
    assert desk.posts == ()


@on_each_database
def test_a_transaction_holds_the_form_and_the_decision(desk: Recording, incident: str) -> None:
    database = journal_alias()
    with transaction.atomic(using=database):
        form = MessageForm(fields(incident=incident))
        assert form.is_valid(), form.errors
        assert form.publish(actor="claire")
        end = FollowUpForm({"key": "end", "headline": "Fin d'intervention"}, incident=incident, stage="end")
        assert end.is_valid(), end.errors
        with joined() as current:
            current.operations.stop(actor="claire", reason="Compte compromis ?")
            assert current.operations.status().stopped
        transaction.set_rollback(True, using=database)
    with joined() as current:
        assert current.operations.status().stopped is None
    assert not IncidentRow.objects.filter(pk=incident).exists()
    assert desk.posts == ()


def test_nothing_but_a_test_database_is_emptied_or_recorded_in(desk: Recording) -> None:
    open_incident("2026-9999")
    desk.deliver()
    found = connections[journal_alias()].settings_dict
    test_name = found["TEST"]["NAME"]
    for other in ("", "another", f"{test_name}x"):
        found["TEST"]["NAME"] = other
        with pytest.raises(RuntimeError, match="Nothing was done"):
            empty_journal()
        with pytest.raises(RuntimeError, match="Nothing was done"), recorded():
            pass
    found["TEST"]["NAME"] = test_name
    with pytest.raises(RuntimeError, match="transaction=True"), transaction.atomic(using=journal_alias()), recorded():
        pass
    assert IncidentRow.objects.filter(pk="2026-9999").exists()
