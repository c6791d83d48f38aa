"""The URLs of the Django project of the tests: its admin, and a page of an incident."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path


def incident(_request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(name)


urlpatterns = [path("admin/", admin.site.urls), path("incidents/<str:name>/", incident, name="incident")]
