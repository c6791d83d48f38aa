"""The permission to publish. The journal's tables are not Django models."""

from __future__ import annotations

from django.db import models


class Publishing(models.Model):  # type: ignore[misc]  # Django has no types
    """Carries the permission `policenotify.publish`, which `manage.py migrate` creates."""

    class Meta:
        """No table, and none of Django's default permissions."""

        managed = False
        default_permissions = ()
        permissions = (("publish", "May publish police notifications"),)

    def __str__(self) -> str:
        return "publishing"
