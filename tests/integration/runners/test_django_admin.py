"""The journal in the admin of a Django project: what is shown to whom, and what a person decides there."""

from __future__ import annotations

import html
import io
import json
import re
import secrets
import shutil
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.exceptions import FieldError, PermissionDenied
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connections, transaction
from django.test import Client, RequestFactory, override_settings
from django.test.utils import setup_test_environment, teardown_test_environment
from django.utils import translation
from PIL import Image as Pillow

from policenotify import Image, Lifecycle
from policenotify.errors import Blocked, Refused, Unconfirmed
from policenotify.integrations.django import close, joined, publish
from policenotify.integrations.django.forms import FollowUpForm, MessageForm
from policenotify.integrations.django.models import (
    ChannelRow,
    DeliveryRow,
    DraftRow,
    EventRow,
    IncidentRow,
    PublicationRow,
)
from policenotify.integrations.django.testing import empty_journal, recorded
from policenotify.journal.keys import Keys
from policenotify.testing.publisher import RECIPIENTS, Recording
from policenotify.translation import in_language
from tests.support.installation import accident
from tests.support.postgresql import USER, Server

_SETTINGS = """
schema_version = 1
sender = "Police nationale de l'Hérault"
zone = "Europe/Paris"
journal = "django"
keys = "keys"

[channels.bluesky]
network = "bluesky"
handle = "police34.example"
password = "of-a-test"

[channels.presse]
network = "email"
url = "mailtos://police:secret@mail.example"
recipients = { file = "presse.txt" }
on_unknown = "hold"

[[approval]]
categories = ["police_operation"]

[[approval]]
categories = ["armed_threat"]
authenticated = true
"""
_CUT = Unconfirmed("The connection was cut.")
_SOMEBODY = RECIPIENTS[""][0]
_ADMIN = "/admin/policenotify"
_numbers = count(1)


@pytest.fixture(scope="module", params=["default", pytest.param("server", marks=pytest.mark.runners)])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A project with its journal and its users in one database, migrated once."""
    folder, alias = tmp_path_factory.mktemp("project"), request.param
    Keys.create(secrets.token_bytes).save(folder / "keys")
    (folder / "policenotify.toml").write_text(_SETTINGS, "utf-8")
    (folder / "presse.txt").write_text("redaction@journal.example", "utf-8")
    there: dict[str, Any] = {"NAME": str(folder / "project.sqlite3"), "OPTIONS": {"transaction_mode": "IMMEDIATE"}}
    server: Server | None = None
    if alias == "server":
        server = request.getfixturevalue("server")
        there = {"NAME": server.database(), "USER": USER, "HOST": str(server.folder), "PORT": str(server.port)}
        there["OPTIONS"] = {}
    users = connections["default"]
    users.close()
    before = dict(users.settings_dict), dict(connections[alias].settings_dict)
    users.settings_dict.update({"NAME": str(folder / "project.sqlite3"), "OPTIONS": {"transaction_mode": "IMMEDIATE"}})
    connections[alias].settings_dict.update(there)
    connections[alias].settings_dict["TEST"] = {"NAME": there["NAME"]}
    how = {"SETTINGS": folder / "policenotify.toml", "DATABASE": alias}
    setup_test_environment()
    with override_settings(POLICENOTIFY=how):
        call_command("migrate", verbosity=0)
        if alias != "default":
            call_command("migrate", "policenotify", database=alias, verbosity=0)
        yield folder
    teardown_test_environment()
    for connection, was in zip((users, connections[alias]), before, strict=True):
        connection.close()
        connection.settings_dict.update(was)
    if server is not None:
        server.drop(there["NAME"])


@pytest.fixture
def desk(project: Path, policenotify_django: Recording) -> Recording:  # noqa: ARG001 - it is there
    """What the project publishes; an empty journal for each test."""
    return policenotify_django


@pytest.fixture
def incident() -> str:
    return f"2026-{next(_numbers)}"


def _agent(*permissions: str) -> Client:
    user = get_user_model().objects.create_user(f"agent{next(_numbers)}", is_staff=True)
    found = Permission.objects.filter(content_type__app_label="policenotify", codename__in=permissions)
    assert len(found) == len(permissions)
    user.user_permissions.set(found)
    client = Client()
    client.force_login(user)
    client.agent = user.get_username()
    return client


def _database() -> str:
    return str(settings.POLICENOTIFY.get("DATABASE", "default"))


def _held() -> list[int]:
    with joined() as current:
        return [each.delivery for each in current.operations.held()]


def _open(incident: str, **changes: Any) -> Any:
    lifecycle = Lifecycle(stage="opening", incident=incident)
    return publish(accident(lifecycle=lifecycle, **changes), key=f"{incident}-open", actor="dispatch")


def _publish(client: Client, page: str, typed: dict[str, Any], **pressed: str) -> Any:
    """Send a form, look at its preview, and press a button."""
    shown = client.post(page, {**typed, **pressed}).context["form"]["previewed"].value()
    return client.post(page, {**typed, **pressed, "previewed": shown or ""})


def test_the_permissions_are_there_and_no_other(project: Path) -> None:  # noqa: ARG001 - it is migrated
    found = Permission.objects.filter(content_type__app_label="policenotify").values_list("codename", flat=True)
    assert sorted(found) == ["approve", "manage", "publish", "resolve", "view"]


def test_models_read_the_journal_and_cannot_write_it(desk: Recording, incident: str) -> None:
    opened = _open(incident)
    desk.deliver()
    row = IncidentRow.objects.get(pk=incident)
    [publication] = row.publications.all()
    assert (row.status, publication.pk, publication.actor) == ("open", opened.id, "dispatch")
    assert publication.created_at == opened.at
    assert publication.headline == "Accident de la circulation"
    deliveries = {each.channel: each for each in publication.deliveries.all()}
    assert {name: each.state for name, each in deliveries.items()} == {"bluesky": "posted", "presse": "posted"}
    [attempt] = deliveries["bluesky"].tries.all()
    assert (attempt.number, attempt.outcome, attempt.delivery.channel) == (1, "posted", "bluesky")
    now = datetime.now(UTC)
    assert IncidentRow.objects.filter(pk=incident, opened_at__lte=now, due_at__gt=now).exists()
    assert not IncidentRow.objects.filter(pk=incident, opened_at__lt=now - timedelta(hours=1)).exists()
    with pytest.raises(FieldError, match="'year'"):  # it would find nothing, or the wrong rows
        IncidentRow.objects.filter(opened_at__year=now.year)
    assert EventRow.objects.filter(publication=opened.id, actor="dispatch").exists()
    for write in (
        row.save,
        row.delete,
        IncidentRow.objects.all().delete,
        lambda: IncidentRow.objects.update(status="ended"),
        lambda: IncidentRow.objects.create(id="phantom"),
        lambda: row.publications.all().delete(),
    ):
        with pytest.raises(TypeError, match="read-only"):
            write()
    assert IncidentRow.objects.get(pk=incident).status == "open"


def test_a_project_without_zones_asks_in_its_own(desk: Recording, incident: str) -> None:
    _open(incident)
    since = IncidentRow.objects.get(pk=incident).opened_at.astimezone(ZoneInfo("Europe/Paris"))
    with override_settings(USE_TZ=False):
        assert IncidentRow.objects.filter(pk=incident, opened_at=since.replace(tzinfo=None)).exists()
        page = _agent("view").get(f"{_ADMIN}/incidentrow/", {"opened_at__gte": f"{since:%Y-%m-%d} 00:00:00"})
        due = since + timedelta(hours=1)
        typed = {"key": "u", "headline": "Une voie rouverte", "next_update_at": f"{due:%Y-%m-%d %H:%M}"}
        form = FollowUpForm(typed, incident=incident)
        assert form.is_valid(), form.errors
        assert form.preview is not None
        assert form.preview.message.next_update_at == due.replace(second=0, microsecond=0)
    assert incident in page.content.decode()
    assert desk.posts == ()


def test_nobody_sees_anything_without_the_permission(desk: Recording, incident: str) -> None:
    opened = _open(incident)
    blind = _agent("publish", "resolve", "approve", "manage")
    for page in (
        "incidentrow/",
        "incidentrow/add/",
        f"incidentrow/{incident}/change/",
        f"incidentrow/{incident}/end/",
        f"publicationrow/{opened.id}/withdraw/",
        f"deliveryrow/{opened.on('presse').delivery}/posted/",
        "channelrow/",
        "eventrow/",
    ):
        assert blind.get(f"{_ADMIN}/{page}").status_code == 403, page
    assert b"policenotify" not in blind.get("/admin/").content
    assert Client().get(f"{_ADMIN}/incidentrow/").status_code == 302
    assert desk.posts == ()


def test_every_page_can_be_seen_and_nothing_changed_with_view_alone(desk: Recording, incident: str) -> None:
    desk.fail_next("presse", _CUT, recipient=_SOMEBODY)
    opened = _open(incident)
    desk.deliver()
    delivery = opened.on("presse").delivery
    seer = _agent("view")
    for page, word in {
        "incidentrow/": incident,
        f"incidentrow/?q={incident}&status=open": incident,
        f"incidentrow/{incident}/change/": opened.id,
        f"deliveryrow/{opened.on('bluesky').delivery}/change/": "<td>posted</td>",
        "publicationrow/": "Accident de la circulation",
        f"publicationrow/?q={incident}-open": incident,
        f"publicationrow/{opened.id}/change/": "The connection was cut.",
        f"publicationrow/{opened.id}/change/?": '<th scope="row">location.street</th><td>avenue de Toulouse</td>',
        "deliveryrow/?held=1": "presse",
        f"deliveryrow/{delivery}/change/": "presse",
        "draftrow/": "draft",
        "channelrow/": "needs a person",
        "eventrow/": "published",
        "eventrow/?kind=published": "dispatch",
    }.items():
        answer = seer.get(f"{_ADMIN}/{page}")
        assert answer.status_code == 200, page
        assert word in answer.content.decode(), page
    page = seer.get(f"{_ADMIN}/incidentrow/{incident}/change/").content.decode()
    assert 'name="_save"' not in page
    assert f"{incident}/end/" not in page
    for forbidden in (f"incidentrow/{incident}/end/", f"publicationrow/{opened.id}/withdraw/"):
        assert seer.post(f"{_ADMIN}/{forbidden}", {"headline": "Fin", "reason": "x" * 20}).status_code == 403
    for forbidden in ("incidentrow/add/", f"incidentrow/{incident}/delete/"):
        assert seer.get(f"{_ADMIN}/{forbidden}").status_code == 403
    assert seer.post(f"{_ADMIN}/deliveryrow/{delivery}/posted/", {}).status_code == 403
    assert seer.post(f"{_ADMIN}/channelrow/", {"decision": "stop"}).status_code == 403
    assert _held() == [delivery]
    with joined() as current:
        assert current.operations.status().stopped is None


def test_an_incident_is_ended_once_in_the_officers_name(desk: Recording, incident: str) -> None:
    _open(incident)
    desk.deliver()
    agent = _agent("view", "publish")
    end = f"{_ADMIN}/incidentrow/{incident}/end/"
    assert end in agent.get(f"{_ADMIN}/incidentrow/{incident}/change/").content.decode()
    key = agent.get(end).context["form"]["key"].value()
    empty = agent.post(end, {"key": key, "headline": ""})
    assert (empty.status_code, list(empty.context["form"].errors)) == (200, ["headline"])
    typed = {"key": key, "headline": "Fin d'intervention", "description": "Circulation rétablie."}
    shown = agent.post(end, typed)
    assert "Circulation rétablie." in re.findall(r"<article.*?</article>", shown.content.decode(), re.DOTALL)[0]
    assert IncidentRow.objects.get(pk=incident).status == "open"
    seen = {**typed, "previewed": shown.context["form"]["previewed"].value()}
    changed = agent.post(end, {**seen, "description": "Circulation rétablie à 18 h."})
    assert (changed.status_code, IncidentRow.objects.get(pk=incident).status) == (200, "open")
    for _ in range(2):
        assert agent.post(end, seen).status_code == 302
    row = IncidentRow.objects.get(pk=incident)
    assert (row.status, [each.stage for each in row.publications.order_by("sequence")]) == ("ended", ["opening", "end"])
    assert row.publications.get(stage="end").actor == agent.agent
    assert set(LogEntry.objects.filter(object_id=incident).values_list("change_message", flat=True)) == {"End"}
    desk.deliver()
    assert "Circulation rétablie." in desk.on("bluesky")[-1].text
    page = agent.get(f"{_ADMIN}/incidentrow/{incident}/change/").content.decode()
    assert end not in page
    again = agent.post(end, {**typed, "key": "another"})
    assert "has ended" in again.content.decode()


def test_an_incident_whose_id_the_admin_quotes_is_ended(desk: Recording, incident: str) -> None:
    incident = f"HEL_{incident}_2F"
    _open(incident)
    desk.deliver()
    agent = _agent("view", "publish")
    [page] = re.findall(r'href="(\S+/change/)', agent.get(f"{_ADMIN}/incidentrow/?q={incident}").content.decode())
    [end] = re.findall(r'href="(\S+/end/)"', agent.get(page).content.decode())
    answer = _publish(agent, end, {"key": f"{incident}-end", "headline": "Fin d'intervention"})
    assert answer.headers["Location"] == page
    assert IncidentRow.objects.get(pk=incident).status == "ended"


def test_an_incident_is_opened_and_a_refused_message_says_why(desk: Recording, incident: str) -> None:
    agent = _agent("view", "publish")
    add = f"{_ADMIN}/incidentrow/add/"
    assert add in agent.get(f"{_ADMIN}/incidentrow/").content.decode()
    assert 'name="commune"' in agent.get(add).content.decode()
    refused = agent.post(add, _typed(incident=incident, commune="99999"))
    assert "There is no commune" in refused.content.decode()
    assert not IncidentRow.objects.filter(pk=incident).exists()
    assert _publish(agent, add, _typed(incident=incident)).status_code == 302
    opening = IncidentRow.objects.get(pk=incident).publications.get()
    assert opening.actor == agent.agent
    desk.deliver()
    assert [post.channel for post in desk.posts] == ["bluesky", "presse"]


def test_a_held_delivery_is_settled(desk: Recording, incident: str) -> None:
    desk.fail_next("presse", _CUT, recipient=_SOMEBODY)
    opened = _open(incident)
    desk.deliver()
    number = opened.on("presse").delivery
    assert _held() == [number]
    agent = _agent("view", "resolve")
    page = agent.get(f"{_ADMIN}/deliveryrow/{number}/change/").content.decode()
    assert f"{number}/posted/" in page
    agent.post(f"{_ADMIN}/deliveryrow/{number}/posted/", {})
    assert (DeliveryRow.objects.get(pk=number).state, _held()) == ("posted", [])
    assert EventRow.objects.filter(delivery=number, actor=agent.agent).exists()
    again = agent.post(f"{_ADMIN}/deliveryrow/{number}/again/", {}, follow=True)
    assert f"{number}/posted/" not in again.content.decode()
    assert DeliveryRow.objects.get(pk=number).state == "posted"
    assert '<li class="error">' in again.content.decode()


def test_the_state_and_the_remedy_of_a_delivery_are_in_the_users_language(desk: Recording, incident: str) -> None:
    desk.fail_next("bluesky", Refused("The post is too long.", remedy="Shorten the headline."))
    number = _open(incident).on("bluesky").delivery
    desk.deliver()
    agent = _agent("view")
    pages = {"list": "deliveryrow/", "delivery": f"deliveryrow/{number}/change/", "channels": "channelrow/"}
    with translation.override("fr"):
        french = {
            name: agent.get(f"{_ADMIN}/{page}", headers={"accept-language": "fr"}).content.decode()
            for name, page in pages.items()
        }
    assert re.search(r"refusé\b", french["list"])
    assert "Raccourcissez le titre." in french["delivery"]
    assert "prêt" in french["channels"]


def test_what_the_journal_stores_of_a_text_is_read_in_the_users_language(desk: Recording, incident: str) -> None:
    desk.fail_next("presse", _CUT, recipient=_SOMEBODY)
    number = _open(incident).on("presse").delivery
    desk.deliver()
    row = DeliveryRow.objects.get(pk=number)
    assert "may or may not have it" in str(row.reason)
    agent = _agent("view")
    page = agent.get(f"{_ADMIN}/deliveryrow/{number}/change/", headers={"accept-language": "fr"}).content.decode()
    for stored in (row.reason, row.remedy):
        assert in_language(stored, "fr") != str(stored)
        assert in_language(stored, "fr") in html.unescape(page)
    assert "template" not in page


def test_a_blocked_channel_is_resumed(desk: Recording, incident: str) -> None:
    desk.fail_next("bluesky", Blocked("The password is not accepted.", remedy="Write the new one.", code="401"))
    opened = _open(incident)
    desk.deliver()
    assert ChannelRow.objects.get(pk="bluesky").blocked_at is not None
    agent = _agent("view", "resolve")
    page = agent.get(f"{_ADMIN}/channelrow/").content.decode()
    assert "The password is not accepted." in page
    assert "Stop everything" not in page
    assert agent.post(f"{_ADMIN}/channelrow/", {"decision": "resume"}).status_code == 403  # everything: `manage`
    agent.post(f"{_ADMIN}/channelrow/", {"decision": "resume", "channel": "bluesky"})
    assert ChannelRow.objects.get(pk="bluesky").blocked_at is None
    desk.deliver()
    assert DeliveryRow.objects.get(pk=opened.on("bluesky").delivery).state == "posted"
    unknown = agent.post(f"{_ADMIN}/channelrow/", {"decision": "resume", "channel": "bluesly"}, follow=True)
    assert "Did you mean" in unknown.content.decode()


@pytest.mark.usefixtures("desk")
def test_workers_and_a_clock_that_was_set_are_shown() -> None:
    agent = _agent("view")
    with joined() as current:
        current.journal.workers.start_heartbeat()
        current.journal.audit.record("runner", "clock_set", {"seconds": -3600.0})
        page = agent.get(f"{_ADMIN}/channelrow/").content.decode()
        current.journal.workers.stop_heartbeat()
    assert "A worker runs:" in page
    assert "set back by 3,600 s" in page
    assert "timedatectl" in page
    french = agent.get(f"{_ADMIN}/channelrow/", headers={"accept-language": "fr"}).content.decode()
    assert "reculée de 3,600 s" in html.unescape(french)
    assert "A worker runs:" not in french


def test_everything_is_stopped_and_resumed(desk: Recording, incident: str) -> None:
    agent = _agent("view", "manage")
    agent.post(f"{_ADMIN}/channelrow/", {"decision": "stop", "reason": "Compte compromis ?"})
    try:
        assert "Compte compromis ?" in agent.get(f"{_ADMIN}/channelrow/").content.decode()
        form = MessageForm(_typed(incident=incident))
        assert form.is_valid()
        assert form.publish(actor="claire") is None
        assert "stopped" in str(form.non_field_errors())
    finally:
        agent.post(f"{_ADMIN}/channelrow/", {"decision": "resume"})
    assert form.data
    assert MessageForm(_typed(incident=incident)).is_valid()
    assert desk.posts == ()


def test_posts_are_taken_down(desk: Recording, incident: str) -> None:
    opened = _open(incident)
    desk.deliver()
    agent = _agent("view", "manage")
    page = f"{_ADMIN}/publicationrow/{opened.id}/withdraw/"
    assert list(agent.post(page, {"reason": "kurz"}).context["form"].errors) == ["reason"]
    assert agent.post(page, {"reason": "Une personne est reconnaissable."}).status_code == 302
    desk.deliver()
    assert desk.on("bluesky")[-1].operation == "delete"


def test_another_person_approves_what_was_read(desk: Recording, incident: str) -> None:
    form = MessageForm(_typed(category="police_operation", incident=incident), as_draft=True)
    assert form.is_valid(), form.errors
    assert form.preview is not None
    assert "PN601" in {finding.code for finding in form.preview.findings}
    author, reader, blind = _agent("view", "approve"), _agent("view", "approve"), _agent("view", "publish")
    draft = form.submit(actor=author.agent)
    assert draft is not None, form.errors
    page = f"{_ADMIN}/draftrow/{draft.id}"
    assert "Évitez le secteur" in reader.get(f"{page}/change/").content.decode()
    assert blind.post(f"{page}/approve/", {"digest": draft.digest}).status_code == 403
    author.post(f"{page}/approve/", {"digest": draft.digest})
    reader.post(f"{page}/approve/", {"digest": "0" * 64})
    assert DraftRow.objects.get(pk=draft.id).state == "submitted"
    shown = reader.get(f"{page}/approve/")
    digest = shown.context["form"]["digest"].value()
    assert (digest, "Évitez le secteur" in shown.content.decode()) == (draft.digest, True)
    assert reader.post(f"{page}/approve/", {"digest": digest}).status_code == 302
    row = DraftRow.objects.get(pk=draft.id)
    assert (row.state, row.publication.incident_id) == ("published", incident)
    desk.deliver()
    assert PublicationRow.objects.get(pk=row.publication_id).actor == author.agent


def test_the_images_of_a_message_are_named(desk: Recording, incident: str) -> None:
    stream = io.BytesIO()
    Pillow.new("RGB", (64, 48), (200, 30, 30)).save(stream, "JPEG")
    opened = _open(incident, images=[Image(data=stream.getvalue(), alt="Plan du quartier fermé")])
    page = _agent("view").get(f"{_ADMIN}/publicationrow/{opened.id}/change/").content.decode()
    assert '<th scope="row">images</th><td>Plan du quartier fermé</td>' in page
    assert desk.posts == ()


def test_the_pages_remain_while_the_settings_are_wrong(project: Path, incident: str) -> None:
    agent = _agent("view", "publish", "resolve", "manage")
    with override_settings(POLICENOTIFY={**settings.POLICENOTIFY, "SETTINGS": project / "nowhere.toml"}):
        close()
        for page in ("incidentrow/", "incidentrow/add/", "publicationrow/", "deliveryrow/?held=1", "channelrow/"):
            assert agent.get(f"{_ADMIN}/{page}").status_code == 200, page
        assert "nowhere.toml" in agent.get(f"{_ADMIN}/channelrow/").content.decode()
        refused = agent.post(f"{_ADMIN}/incidentrow/add/", _typed(incident=incident))
        assert "nowhere.toml" in refused.content.decode()
        stopped = agent.post(f"{_ADMIN}/channelrow/", {"decision": "stop"}, follow=True)
        assert "nowhere.toml" in stopped.content.decode()


def test_decisions_are_taken_in_the_transaction_of_the_request(desk: Recording, incident: str) -> None:
    agent, reader = _agent("view", "publish", "resolve", "manage"), _agent("view", "approve")
    database = connections[_database()]
    desk.fail_next("presse", _CUT, recipient=_SOMEBODY)
    opened = _open(incident)
    desk.deliver()
    form = MessageForm(_typed(category="police_operation", incident=f"{incident}-b"), as_draft=True)
    assert form.is_valid()
    draft = form.submit(actor="claire")
    assert draft is not None
    database.settings_dict["ATOMIC_REQUESTS"] = True
    try:
        agent.post(f"{_ADMIN}/channelrow/", {"decision": "stop"})
        agent.post(f"{_ADMIN}/channelrow/", {"decision": "resume"})
        agent.post(f"{_ADMIN}/deliveryrow/{opened.on('presse').delivery}/posted/", {})
        reader.post(f"{_ADMIN}/draftrow/{draft.id}/approve/", {"digest": draft.digest})
        end = {"key": "end", "headline": "Fin d'intervention"}
        _publish(agent, f"{_ADMIN}/incidentrow/{incident}/end/", end)
    finally:
        database.settings_dict["ATOMIC_REQUESTS"] = False
    kinds = [each.kind for each in EventRow.objects.filter(actor=agent.agent).order_by("id")]
    assert (kinds[:2], _held()) == (["stopped", "resumed"], [])
    assert DraftRow.objects.get(pk=draft.id).state == "published"
    assert IncidentRow.objects.get(pk=incident).status == "ended"


def test_a_message_that_others_read_first_is_submitted(desk: Recording, incident: str) -> None:
    agent, reader = _agent("view", "publish"), _agent("view", "approve")
    add, typed = f"{_ADMIN}/incidentrow/add/", _typed(category="police_operation", incident=incident)
    refused = agent.post(add, typed)
    assert "Another person must read this message first." in refused.content.decode()
    typed["reason"] = "Périmètre confirmé par le chef."
    assert _publish(agent, add, typed, _draft="1").status_code == 302
    draft = DraftRow.objects.get()
    assert (draft.state, draft.submitted_by) == ("submitted", agent.agent)
    page = f"{_ADMIN}/draftrow/{draft.id}/approve/"
    shown = reader.get(page)
    assert "Périmètre confirmé par le chef." in shown.content.decode()
    digest = shown.context["form"]["digest"].value()
    assert reader.post(page, {"digest": digest}).status_code == 302
    assert IncidentRow.objects.get(pk=incident).status == "open"
    assert desk.posts == ()


@pytest.mark.parametrize("category", ["police_operation", "armed_threat"])
def test_what_is_published_urgently_is_read_afterwards(desk: Recording, incident: str, category: str) -> None:
    agent, reader = _agent("view", "publish", "approve"), _agent("view", "approve")
    add, typed = f"{_ADMIN}/incidentrow/add/", _typed(category=category, incident=incident)
    short = _publish(agent, add, {**typed, "reason": "vite"}, _urgent="1")
    assert "write a reason of 10" in short.content.decode() or "au moins 10" in short.content.decode()
    assert _publish(agent, add, {**typed, "reason": "Coups de feu en cours."}, _urgent="1").status_code == 302
    draft = DraftRow.objects.get()
    assert draft.state == "published"
    pages = {name: f"{_ADMIN}/draftrow/{draft.pk}/{name}/" for name in ("second", "objection")}
    assert "Coups de feu en cours." in reader.get(pages["second"]).content.decode()
    agent.post(pages["second"], {})
    assert DraftRow.objects.get().due_at is not None  # its author
    assert list(reader.post(pages["objection"], {}).context["form"].errors) == ["reason"]
    assert reader.post(pages["second"], {}).status_code == 302
    assert DraftRow.objects.get().due_at is None
    desk.deliver()


# --- the form


def _typed(**changes: Any) -> dict[str, Any]:
    return {
        "key": secrets.token_hex(8),
        "category": "traffic_accident",
        "commune": "Montpellier",
        "street": "avenue de Toulouse",
        "headline": "Accident de la circulation",
        "instruction": "Évitez le secteur.",
        **changes,
    }


def test_a_form_publishes_an_incident_from_opening_to_end(desk: Recording, incident: str) -> None:
    form = MessageForm(_typed(incident=incident))
    assert form.is_valid(), form.errors
    published = form.publish(actor="claire")
    assert published is not None
    assert published.message.location is not None
    assert published.message.location.commune == "34172"
    again = form.publish(actor="claire")
    assert again is not None
    assert again.repeated
    update = FollowUpForm({"key": f"{incident}-2", "headline": "Une voie rouverte"}, incident=incident)
    assert update.is_valid(), update.errors
    desk.deliver()
    assert update.publish(actor="claire")
    desk.deliver()
    end = FollowUpForm({"key": f"{incident}-3", "headline": "Fin d'intervention"}, incident=incident, stage="end")
    assert end.is_valid(), end.errors
    assert end.publish(actor="claire")
    desk.deliver()
    assert [bool(each.reply_to) for each in desk.on("bluesky")][-3:] == [False, True, True]


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"commune": "99999"}, "commune", "There is no commune"),
        ({"commune": "34000"}, "commune", "Did you mean 34172 Montpellier"),
        ({"commune": "Monpelier"}, "commune", "Did you mean"),
        ({"commune": "Sainte-Colombe"}, "commune", "12 communes are named"),
        ({"commune": "\ud800"}, "commune", ""),
        ({"commune": "\x00"}, "commune", ""),
        ({"commune": "", "street": ""}, "commune", "where it is"),
        ({"road": "the A9"}, "road", "write a road such as A9"),
        ({"headline": ""}, "headline", ""),
        ({"headline": "x" * 161}, "headline", ""),
        ({"headline": "!!!"}, "headline", ""),
        ({"category": "meteor"}, "category", ""),
        ({"incident": "../etc"}, "incident", "write 1 to 64 letters"),
        ({"incident": "", "next_update_at": "2020-01-01 10:00"}, "next_update_at", ""),
        ({"starts_at": "2030-01-02 10:00", "expires_at": "2030-01-01 10:00"}, "expires_at", "later than starts_at"),
        ({"link": "https://user:pw@example.org/"}, "link", ""),
        ({"key": ""}, "key", ""),
        ({"key": "4711\nopen"}, "key", "printable"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    desk: Recording, incident: str, changes: dict[str, str], field: str, words: str
) -> None:
    form = MessageForm(_typed(**{"incident": incident, **changes}))
    assert not form.is_valid()
    assert words in str(form.errors[field].as_data())
    with pytest.raises(ValueError, match="is_valid"):
        form.publish(actor="claire")
    assert desk.posts == ()


def test_a_finding_names_its_words_in_the_users_language(desk: Recording, incident: str) -> None:
    with translation.override("fr"):
        form = MessageForm(_typed(incident=incident, severity="Severe", instruction=""))
        assert not form.is_valid()
        [error] = form.errors["next_update_at"].as_data()
        past = MessageForm(_typed(incident=incident, next_update_at="2020-01-01 10:00"))
        assert "déjà passé" in str(past.errors["next_update_at"].as_data())
        near = MessageForm(_typed(incident=incident, commune="34000"))
        assert "Vouliez-vous dire 34172 Montpellier" in str(near.errors["commune"].as_data())
        assert "Lieu, dans vos propres mots" in near.as_p()
        page = _agent("view", "manage").get(f"{_ADMIN}/channelrow/", headers={"accept-language": "fr"})
    assert "Tout arrêter" in page.content.decode()
    assert error.code == "PN104"
    assert "--" not in str(error)
    assert "(Prochain point à +1h" in str(error)
    assert desk.posts == ()


def test_a_category_is_chosen_and_times_are_typed(desk: Recording, incident: str) -> None:
    assert '<option value="" selected>' in str(MessageForm()["category"])
    assert list(MessageForm(_typed(category="")).errors) == ["category"]
    now = datetime.now(UTC)
    form = MessageForm(_typed(incident=incident, starts_at="-1h", next_update_at="+1h", expires_at="demain 18h30"))
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


def test_who_agreed_is_in_the_message_and_in_no_post(desk: Recording, incident: str) -> None:
    form = MessageForm(_typed(incident=incident, basis="prosecutor", reference="PV 2026/4711"))
    assert form.is_valid(), form.errors
    assert form.preview is not None
    [basis] = form.preview.message.basis
    assert (basis.who, basis.reference) == ("prosecutor", "PV 2026/4711")
    assert not any("4711" in post.alone.text for post in form.preview.posts)
    assert desk.posts == ()


def test_a_correction_gives_the_right_street(desk: Recording, incident: str) -> None:
    opened = _open(incident)
    desk.deliver()
    agent = _agent("view", "publish")
    page = f"{_ADMIN}/publicationrow/{opened.id}/correct/"
    assert page in agent.get(f"{_ADMIN}/publicationrow/{opened.id}/change/").content.decode()
    typed = {
        "key": "c",
        "headline": "Accident avenue de Lodève",
        "street": "avenue de Lodève",
        "instruction": "Évitez le secteur.",
    }
    assert _publish(agent, page, typed).status_code == 302
    desk.deliver()
    assert "avenue de Lodève" in desk.on("bluesky")[-1].text
    assert "avenue de Toulouse" not in desk.on("bluesky")[-1].text


def test_what_follows_nothing_is_an_error_of_the_form(desk: Recording, incident: str) -> None:
    unknown = FollowUpForm({"key": "x", "headline": "Fin"}, incident=incident, stage="end")
    assert not unknown.is_valid()
    assert incident in str(unknown.non_field_errors())
    _open(incident)
    again = MessageForm(_typed(incident=incident))
    assert not again.is_valid()
    assert "already open" in str(again.errors)
    assert desk.posts == ()


def test_a_key_that_named_another_message_is_refused(desk: Recording, incident: str) -> None:
    first = MessageForm(_typed(incident="", commune="34172"))
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
    agent = get_user_model().objects.get(username=_agent("publish").agent)

    def post(view: str, typed: dict[str, str], *arguments: str) -> Any:
        request = RequestFactory().post("/", typed)
        request.user = agent
        return views[view](request, *arguments)

    assert list(post("open_incident", _typed(commune="99999")).errors) == ["commune"]
    typed = _typed(incident=incident)
    seen = post("open_incident", typed)["previewed"].value()
    assert post("open_incident", {**typed, "previewed": seen}).url == f"/incidents/{incident}/"
    typed = {"key": "end", "headline": "Fin d'intervention"}
    seen = post("end_incident", typed, incident)["previewed"].value()
    assert post("end_incident", {**typed, "previewed": seen}, incident).status_code == 302
    assert IncidentRow.objects.get(pk=incident).status == "ended"
    request = RequestFactory().get("/")
    request.user = get_user_model().objects.get(username=_agent("view").agent)
    with pytest.raises(PermissionDenied):
        views["open_incident"](request)
    assert desk.posts == ()


def test_a_transaction_holds_the_form_and_the_decision(desk: Recording, incident: str, project: Path) -> None:  # noqa: ARG001 - it is there
    database = _database()
    with transaction.atomic(using=database):
        form = MessageForm(_typed(incident=incident))
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
    _open("2026-9999")
    desk.deliver()
    found = connections[_database()].settings_dict
    test_name = found["TEST"]["NAME"]
    for other in ("", "another", f"{test_name}x"):
        found["TEST"]["NAME"] = other
        with pytest.raises(RuntimeError, match="Nothing was done"):
            empty_journal()
        with pytest.raises(RuntimeError, match="Nothing was done"), recorded():
            pass
    found["TEST"]["NAME"] = test_name
    with pytest.raises(RuntimeError, match="transaction=True"), transaction.atomic(using=_database()), recorded():
        pass
    assert IncidentRow.objects.filter(pk="2026-9999").exists()


# --- in a browser

_BROWSER = Path(__file__).parents[2] / "acceptance" / "browser"


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log nothing."""


def _axe(pages: dict[str, bytes]) -> dict[tuple[str, int, str], list[str]]:
    """Return what axe-core finds on each page, with the styles of the admin."""
    chromium, node = shutil.which("chromium"), shutil.which("node")
    if chromium is None or node is None or not (_BROWSER / "node_modules" / "axe-core").is_dir():
        pytest.skip("needs a browser and its packages: .ci/run browser")
    static = StaticFilesHandler(get_wsgi_application())

    def application(environ: Any, start: Any) -> Any:
        if (name := environ["PATH_INFO"][1:]) in pages:
            start("200 OK", [("Content-Type", "text/html; charset=utf-8")])
            return [pages[name]]
        if name.startswith("static/"):
            return static(environ, start)
        start("404 Not Found", [])
        return [b""]

    with make_server("127.0.0.1", 0, application, handler_class=_Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        named = {name: f"http://127.0.0.1:{server.server_port}/{name}" for name in pages}
        done = subprocess.run(  # noqa: S603 - our own script
            [node, str(_BROWSER / "feed.mjs")],
            input=json.dumps({"chromium": chromium, "pages": named, "widths": [1280]}),
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        server.shutdown()
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert {one["page"] for one in seen} == pages.keys()
    return {(one["page"], one["width"], one["scheme"]): one["violations"] for one in seen if one["violations"]}


@pytest.mark.browser
@pytest.mark.slow
def test_axe_finds_nothing_on_the_pages_of_the_admin(desk: Recording, incident: str) -> None:
    picture = io.BytesIO()
    Pillow.new("RGB", (64, 48), (200, 30, 30)).save(picture, "JPEG")
    user = get_user_model().objects.create_superuser(f"claire{next(_numbers)}")
    client = Client()
    client.force_login(user)
    desk.fail_next("presse", _CUT, recipient=_SOMEBODY)
    opened = _open(incident, images=[Image(data=picture.getvalue(), alt="Plan du quartier fermé")])
    desk.deliver()
    with joined() as current:
        message = accident(category="police_operation", images=[Image(data=picture.getvalue(), alt="Plan")])
        draft = current.drafts.create(message, actor="hugo")
        current.drafts.submit(draft.id, actor="hugo", reason="Périmètre confirmé par le chef.")
    end = {"key": "e", "headline": "Fin d'intervention", "description": "Circulation rétablie."}
    held = opened.on("presse").delivery
    answers = {
        "form": client.get(f"{_ADMIN}/incidentrow/add/"),
        "errors": client.post(f"{_ADMIN}/incidentrow/add/", _typed(commune="99999")),
        "preview": client.post(f"{_ADMIN}/incidentrow/{incident}/end/", end),
        "incidents": client.get(f"{_ADMIN}/incidentrow/"),
        "incident": client.get(f"{_ADMIN}/incidentrow/{incident}/change/"),
        "publication": client.get(f"{_ADMIN}/publicationrow/{opened.id}/change/"),
        "withdraw": client.get(f"{_ADMIN}/publicationrow/{opened.id}/withdraw/"),
        "delivery": client.get(f"{_ADMIN}/deliveryrow/{held}/change/"),
        "settle": client.get(f"{_ADMIN}/deliveryrow/{held}/posted/"),
        "draft": client.get(f"{_ADMIN}/draftrow/{draft.id}/change/"),
        "approve": client.get(f"{_ADMIN}/draftrow/{draft.id}/approve/"),
        "channels": client.get(f"{_ADMIN}/channelrow/"),
    }
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 200)
    pages = {name: answer.content for name, answer in answers.items()}
    assert b'alt="Plan"' in pages["approve"]
    assert _axe(pages) == {}
