"""The journal in the admin of a Django project: what is shown to whom, and what a person decides there."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.exceptions import FieldError
from django.db import connections
from django.test import Client, override_settings

from policenotify.errors import Blocked, JournalError, Unconfirmed
from policenotify.integrations.django import close, joined
from policenotify.integrations.django.forms import MessageForm
from policenotify.integrations.django.models import (
    ChannelRow,
    DeliveryRow,
    DraftRow,
    EventRow,
    IncidentRow,
    PublicationRow,
)
from policenotify.publishing.operations import Operations
from policenotify.testing.publisher import RECIPIENTS, Recording
from policenotify.translation import in_language
from tests.integration.runners.officers import (
    ADMIN,
    fields,
    journal_alias,
    officer,
    on_each_database,
    open_incident,
    publish_form,
)

CUT = Unconfirmed("The connection was cut.")
SOMEBODY = RECIPIENTS[""][0]


def held() -> list[int]:
    with joined() as current:
        return [each.delivery for each in current.operations.held()]


def test_the_permissions_are_there_and_no_other(project: Path) -> None:  # noqa: ARG001 - it is migrated
    found = Permission.objects.filter(content_type__app_label="policenotify").values_list("codename", flat=True)
    assert sorted(found) == ["approve", "manage", "publish", "resolve", "view"]


@on_each_database
def test_models_read_the_journal_and_cannot_write_it(desk: Recording, incident: str) -> None:
    opened = open_incident(incident)
    desk.deliver()
    row = IncidentRow.objects.get(pk=incident)
    [publication] = row.publications.all()
    assert (row.status, publication.pk, publication.actor) == ("open", opened.id, "dispatch")
    assert publication.created_at == opened.at
    assert publication.headline == "Accident de la circulation"
    deliveries = {each.channel: each for each in publication.deliveries.all()}
    assert {name: each.state for name, each in deliveries.items()} == {"bluesky": "posted", "presse": "posted"}
    assert deliveries["bluesky"].attempts == 1
    now = datetime.now(UTC)
    assert IncidentRow.objects.filter(pk=incident, opened_at__lte=now, due_at__gt=now).exists()
    assert not IncidentRow.objects.filter(pk=incident, opened_at__lt=now - timedelta(hours=1)).exists()
    here = row.opened_at.astimezone(ZoneInfo("Europe/Paris"))
    with override_settings(USE_TZ=False):
        assert IncidentRow.objects.filter(pk=incident, opened_at=here.replace(tzinfo=None)).exists()
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


def test_nobody_sees_anything_without_the_permission(desk: Recording, incident: str) -> None:
    opened = open_incident(incident)
    blind = officer("publish", "resolve", "approve", "manage")
    for page in (
        "incidentrow/",
        f"incidentrow/{incident}/end/",
        f"publicationrow/{opened.id}/withdraw/",
        f"deliveryrow/{opened.on('presse').delivery}/posted/",
        "channelrow/",
        "eventrow/",
    ):
        assert blind.get(f"{ADMIN}/{page}").status_code == 403, page
    assert b"policenotify" not in blind.get("/admin/").content
    assert Client().get(f"{ADMIN}/incidentrow/").status_code == 302
    assert desk.posts == ()


def test_every_page_can_be_seen_and_nothing_changed_with_view_alone(desk: Recording, incident: str) -> None:
    desk.fail_next("presse", CUT, recipient=SOMEBODY)
    opened = open_incident(incident)
    desk.deliver()
    delivery = opened.on("presse").delivery
    seer = officer("view")
    for page, word in {
        "incidentrow/": incident,
        f"incidentrow/?q={incident}&status=open": incident,
        f"incidentrow/{incident}/change/": opened.id,
        f"deliveryrow/{opened.on('bluesky').delivery}/change/": "posted",
        "publicationrow/": "Accident de la circulation",
        f"publicationrow/?q={incident}-open": incident,
        f"publicationrow/{opened.id}/change/": "The connection was cut.",
        f"publicationrow/{opened.id}/change/?": '<th scope="row">location.street</th><td>avenue de Toulouse</td>',
        f"deliveryrow/{delivery}/change/": "presse",
        "draftrow/": "draft",
        "channelrow/": f'/deliveryrow/{delivery}/change/">presse, {incident}: needs a person</a>',
        "eventrow/": "published",
        "eventrow/?kind=published": "dispatch",
    }.items():
        answer = seer.get(f"{ADMIN}/{page}")
        assert answer.status_code == 200, page
        assert word in answer.content.decode(), page
    page = seer.get(f"{ADMIN}/incidentrow/{incident}/change/").content.decode()
    assert 'name="_save"' not in page
    assert f"{incident}/end/" not in page
    for forbidden in (f"incidentrow/{incident}/end/", f"publicationrow/{opened.id}/withdraw/"):
        assert seer.post(f"{ADMIN}/{forbidden}", {"headline": "Fin", "reason": "x" * 20}).status_code == 403
    for forbidden in ("incidentrow/add/", f"incidentrow/{incident}/delete/"):
        assert seer.get(f"{ADMIN}/{forbidden}").status_code == 403
    assert seer.post(f"{ADMIN}/deliveryrow/{delivery}/posted/", {}).status_code == 403
    assert seer.post(f"{ADMIN}/channelrow/", {"decision": "stop"}).status_code == 403
    assert held() == [delivery]
    with joined() as current:
        assert current.operations.status().stopped is None


def test_an_incident_is_ended_once_in_the_officers_name(desk: Recording, incident: str) -> None:
    open_incident(incident)
    desk.deliver()
    agent = officer("view", "publish")
    end = f"{ADMIN}/incidentrow/{incident}/end/"
    assert end in agent.get(f"{ADMIN}/incidentrow/{incident}/change/").content.decode()
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
    page = agent.get(f"{ADMIN}/incidentrow/{incident}/change/").content.decode()
    assert end not in page
    again = agent.post(end, {**typed, "key": "another"})
    assert "has ended" in again.content.decode()


def test_an_incident_is_opened_and_a_refused_message_says_why(desk: Recording, incident: str) -> None:
    agent = officer("view", "publish")
    add = f"{ADMIN}/incidentrow/add/"
    assert add in agent.get(f"{ADMIN}/incidentrow/").content.decode()
    assert 'name="commune"' in agent.get(add).content.decode()
    refused = agent.post(add, fields(incident=incident, commune="99999"))
    assert "There is no commune" in refused.content.decode()
    assert not IncidentRow.objects.filter(pk=incident).exists()
    assert publish_form(agent, add, fields(incident=incident)).status_code == 302
    opening = IncidentRow.objects.get(pk=incident).publications.get()
    assert opening.actor == agent.agent
    desk.deliver()
    assert [post.channel for post in desk.posts] == ["bluesky", "presse"]


def test_a_held_delivery_is_settled(desk: Recording, incident: str) -> None:
    desk.fail_next("presse", CUT, recipient=SOMEBODY)
    opened = open_incident(incident)
    desk.deliver()
    number = opened.on("presse").delivery
    assert held() == [number]
    agent = officer("view", "resolve")
    page = agent.get(f"{ADMIN}/deliveryrow/{number}/change/").content.decode()
    assert f"{number}/posted/" in page
    agent.post(f"{ADMIN}/deliveryrow/{number}/posted/", {})
    assert (DeliveryRow.objects.get(pk=number).state, held()) == ("posted", [])
    assert EventRow.objects.filter(delivery=number, actor=agent.agent).exists()
    again = agent.post(f"{ADMIN}/deliveryrow/{number}/again/", {}, follow=True)
    assert f"{number}/posted/" not in again.content.decode()
    assert DeliveryRow.objects.get(pk=number).state == "posted"
    assert '<li class="error">' in again.content.decode()


def test_what_the_journal_stores_of_a_text_is_read_in_the_users_language(desk: Recording, incident: str) -> None:
    desk.fail_next("presse", CUT, recipient=SOMEBODY)
    number = open_incident(incident).on("presse").delivery
    desk.deliver()
    row = DeliveryRow.objects.get(pk=number)
    assert "may or may not have it" in str(row.reason)
    agent = officer("view")
    page = agent.get(f"{ADMIN}/deliveryrow/{number}/change/", headers={"accept-language": "fr"}).content.decode()
    for stored in (row.reason, row.remedy):
        assert in_language(stored, "fr") != str(stored)
        assert in_language(stored, "fr") in html.unescape(page)
    assert "template" not in page


def test_a_blocked_channel_is_resumed(desk: Recording, incident: str) -> None:
    desk.fail_next("bluesky", Blocked("The password is not accepted.", remedy="Write the new one.", code="401"))
    opened = open_incident(incident)
    desk.deliver()
    assert ChannelRow.objects.get(pk="bluesky").blocked_at is not None
    agent = officer("view", "resolve")
    page = agent.get(f"{ADMIN}/channelrow/").content.decode()
    assert "The password is not accepted." in page
    assert "Stop everything" not in page
    assert agent.post(f"{ADMIN}/channelrow/", {"decision": "resume"}).status_code == 403  # everything: `manage`
    agent.post(f"{ADMIN}/channelrow/", {"decision": "resume", "channel": "bluesky"})
    assert ChannelRow.objects.get(pk="bluesky").blocked_at is None
    desk.deliver()
    assert DeliveryRow.objects.get(pk=opened.on("bluesky").delivery).state == "posted"
    unknown = agent.post(f"{ADMIN}/channelrow/", {"decision": "resume", "channel": "bluesly"}, follow=True)
    assert "Did you mean" in unknown.content.decode()


@pytest.mark.usefixtures("desk")
def test_workers_are_shown() -> None:
    agent = officer("view")
    with joined() as current:
        current.journal.workers.heartbeat(is_worker=True)
        page = agent.get(f"{ADMIN}/channelrow/").content.decode()
        current.journal.workers.heartbeat(is_worker=False)
    assert "A worker runs:" in page
    french = agent.get(f"{ADMIN}/channelrow/", headers={"accept-language": "fr"}).content.decode()
    assert "A worker runs:" not in french


def test_posts_are_taken_down(desk: Recording, incident: str) -> None:
    opened = open_incident(incident)
    desk.deliver()
    agent = officer("view", "manage")
    page = f"{ADMIN}/publicationrow/{opened.id}/withdraw/"
    shown = agent.get(page).content.decode()
    assert "<td>Accident de la circulation</td>" in shown
    assert all(receipt.channel in shown for receipt in opened)
    assert list(agent.post(page, {"reason": "kurz"}).context["form"].errors) == ["reason"]
    assert agent.post(page, {"reason": "Une personne est reconnaissable."}).status_code == 302
    desk.deliver()
    assert desk.on("bluesky")[-1].operation == "delete"


def test_a_message_that_another_person_must_read_is_submitted_and_approved(desk: Recording, incident: str) -> None:
    author, reader = officer("view", "publish", "approve"), officer("view", "approve")
    add, typed = f"{ADMIN}/incidentrow/add/", fields(category="police_operation", incident=incident)
    refused = author.post(add, typed)
    assert "Another person must read this message first." in refused.content.decode()
    typed["reason"] = "Périmètre confirmé par le chef."
    assert publish_form(author, add, typed, _draft="1").status_code == 302
    draft = DraftRow.objects.get()
    assert (draft.state, draft.submitted_by) == ("submitted", author.agent)
    page = f"{ADMIN}/draftrow/{draft.id}"
    assert "Évitez le secteur" in reader.get(f"{page}/change/").content.decode()
    shown = reader.get(f"{page}/approve/")
    assert all(text in shown.content.decode() for text in ("Évitez le secteur", "Périmètre confirmé par le chef."))
    digest = shown.context["form"]["digest"].value()
    assert officer("view", "publish").post(f"{page}/approve/", {"digest": digest}).status_code == 403
    author.post(f"{page}/approve/", {"digest": digest})
    reader.post(f"{page}/approve/", {"digest": "0" * 64})
    assert DraftRow.objects.get(pk=draft.id).state == "submitted"
    assert reader.post(f"{page}/approve/", {"digest": digest}).status_code == 302
    row = DraftRow.objects.get(pk=draft.id)
    assert (row.state, row.publication.incident_id) == ("published", incident)
    desk.deliver()
    assert PublicationRow.objects.get(pk=row.publication_id).actor == author.agent


@pytest.mark.usefixtures("desk")
def test_a_draft_whose_time_is_over_is_shown_as_expired_and_offers_no_decision(incident: str) -> None:
    reader = officer("view", "approve")
    form = MessageForm(fields(category="police_operation", incident=incident), as_draft=True)
    assert form.is_valid()
    draft = form.submit(actor="claire")
    assert draft is not None
    lists = {state: f"{ADMIN}/draftrow/?state={state}" for state in ("submitted", "expired")}
    change = f"{ADMIN}/draftrow/{draft.id}/change/"
    assert f"/draftrow/{draft.id}/approve/" in reader.get(change).content.decode()
    assert draft.id in reader.get(lists["submitted"]).content.decode()
    with connections[journal_alias()].cursor() as cursor:
        cursor.execute("UPDATE pn_draft SET expires_at = changed_at - 1")
    assert f"/draftrow/{draft.id}/approve/" not in reader.get(change).content.decode()
    assert draft.id not in reader.get(lists["submitted"]).content.decode()
    shown = reader.get(lists["expired"]).content.decode()
    assert draft.id in shown
    assert 'field-shown_state">expired<' in shown
    assert str(DraftRow.objects.get()).startswith("expired ")


def test_the_pages_remain_while_the_settings_are_wrong(project: Path, incident: str) -> None:
    agent = officer("view", "publish", "resolve", "manage")
    with override_settings(POLICENOTIFY={**settings.POLICENOTIFY, "SETTINGS": project / "nowhere.toml"}):
        close()
        for page in ("incidentrow/", "incidentrow/add/", "publicationrow/", "deliveryrow/", "channelrow/"):
            assert agent.get(f"{ADMIN}/{page}").status_code == 200, page
        assert "nowhere.toml" in agent.get(f"{ADMIN}/channelrow/").content.decode()
        refused = agent.post(f"{ADMIN}/incidentrow/add/", fields(incident=incident))
        assert "nowhere.toml" in refused.content.decode()
        stopped = agent.post(f"{ADMIN}/channelrow/", {"decision": "stop"}, follow=True)
        assert "nowhere.toml" in stopped.content.decode()


def test_everything_can_be_stopped_while_a_held_publication_cannot_be_read(
    project: Path,  # noqa: ARG001 - it is migrated
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def held(_self: Operations) -> None:
        raise JournalError("Publication 4711 is damaged.")

    monkeypatch.setattr(Operations, "held", held)
    page = officer("view", "publish", "resolve", "manage").get(f"{ADMIN}/channelrow/").content.decode()
    assert "Publication 4711 is damaged." in page
    assert 'value="stop"' in page


@on_each_database
def test_decisions_are_taken_in_the_transaction_of_the_request(desk: Recording, incident: str) -> None:
    agent, reader = officer("view", "publish", "resolve", "manage"), officer("view", "approve")
    database = connections[journal_alias()]
    desk.fail_next("presse", CUT, recipient=SOMEBODY)
    opened = open_incident(incident)
    desk.deliver()
    form = MessageForm(fields(category="police_operation", incident=f"{incident}-b"), as_draft=True)
    assert form.is_valid()
    draft = form.submit(actor="claire")
    assert draft is not None
    database.settings_dict["ATOMIC_REQUESTS"] = True
    try:
        agent.post(f"{ADMIN}/channelrow/", {"decision": "stop"})
        agent.post(f"{ADMIN}/channelrow/", {"decision": "resume"})
        agent.post(f"{ADMIN}/deliveryrow/{opened.on('presse').delivery}/posted/", {})
        reader.post(f"{ADMIN}/draftrow/{draft.id}/approve/", {"digest": draft.digest})
        end = {"key": "end", "headline": "Fin d'intervention"}
        publish_form(agent, f"{ADMIN}/incidentrow/{incident}/end/", end)
    finally:
        database.settings_dict["ATOMIC_REQUESTS"] = False
    kinds = [each.kind for each in EventRow.objects.filter(actor=agent.agent).order_by("id")]
    assert (kinds[:2], held()) == (["stopped", "resumed"], [])
    assert DraftRow.objects.get(pk=draft.id).state == "published"
    assert IncidentRow.objects.get(pk=incident).status == "ended"


def test_what_is_published_urgently_is_read_afterwards(desk: Recording, incident: str) -> None:
    agent, reader = officer("view", "publish", "approve"), officer("view", "approve")
    add, typed = f"{ADMIN}/incidentrow/add/", fields(category="armed_threat", incident=incident)
    short = publish_form(agent, add, {**typed, "reason": "vite"}, _urgent="1")
    assert "write a reason of 10" in short.content.decode()
    assert publish_form(agent, add, {**typed, "reason": "Coups de feu en cours."}, _urgent="1").status_code == 302
    draft = DraftRow.objects.get()
    assert draft.state == "published"
    pages = {name: f"{ADMIN}/draftrow/{draft.pk}/{name}/" for name in ("second", "objection")}
    assert "Coups de feu en cours." in reader.get(pages["second"]).content.decode()
    agent.post(pages["second"], {})
    assert DraftRow.objects.get().due_at is not None  # its author
    assert list(reader.post(pages["objection"], {}).context["form"].errors) == ["reason"]
    assert reader.post(pages["second"], {}).status_code == 302
    assert DraftRow.objects.get().due_at is None
    desk.deliver()
