"""Officers of a Django project: their permissions, what they type, and the pages at which they publish."""

from __future__ import annotations

import secrets
from itertools import count
from typing import Any, Final

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from policenotify import Lifecycle
from policenotify.integrations.django import publish
from tests.support.installation import accident

ADMIN: Final = "/admin/policenotify"
NUMBERS: Final = count(1)
on_each_database = pytest.mark.parametrize(
    "project", ["default", pytest.param("server", marks=pytest.mark.runners)], indirect=True
)
"""Of a test with the fixture `project`."""


def officer(*permissions: str) -> Client:
    user = get_user_model().objects.create_user(f"agent{next(NUMBERS)}", is_staff=True)
    found = Permission.objects.filter(content_type__app_label="policenotify", codename__in=permissions)
    assert len(found) == len(permissions)
    user.user_permissions.set(found)
    client = Client()
    client.force_login(user)
    client.agent = user.get_username()
    return client


def journal_alias() -> str:
    return str(settings.POLICENOTIFY.get("DATABASE", "default"))


def open_incident(incident: str, **changes: Any) -> Any:
    lifecycle = Lifecycle(stage="opening", incident=incident)
    return publish(accident(lifecycle=lifecycle, **changes), key=f"{incident}-open", actor="dispatch")


def publish_form(client: Client, page: str, typed: dict[str, Any], **pressed: str) -> Any:
    """Send a form, look at its preview, and press a button."""
    shown = client.post(page, {**typed, **pressed}).context["form"]["previewed"].value()
    return client.post(page, {**typed, **pressed, "previewed": shown or ""})


def fields(**changes: Any) -> dict[str, Any]:
    return {
        "key": secrets.token_hex(8),
        "category": "traffic_accident",
        "commune": "Montpellier",
        "street": "avenue de Toulouse",
        "headline": "Accident de la circulation",
        "instruction": "Évitez le secteur.",
        **changes,
    }
