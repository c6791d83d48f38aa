"""A Django project for the tests of one process, configured once."""

from __future__ import annotations

import django
from django.conf import settings

_SQLITE = "django.db.backends.sqlite3"


def configure() -> None:
    """Configure Django, unless another test module of this process has."""
    if settings.configured:
        return
    engines = {"default": "sqlite3", "server": "postgresql", "memory": "sqlite3", "other": "dummy"}
    settings.configure(
        DATABASES={alias: {"ENGINE": f"django.db.backends.{engine}", "NAME": "-"} for alias, engine in engines.items()}
        | {"memory": {"ENGINE": _SQLITE, "NAME": ":memory:"}},
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
            "policenotify.integrations.django",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.locale.LocaleMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        ROOT_URLCONF="tests.support.django_urls",
        SECRET_KEY="of a test",
        STATIC_URL="/static/",
        USE_TZ=True,
        TIME_ZONE="Europe/Paris",
    )
    django.setup()
