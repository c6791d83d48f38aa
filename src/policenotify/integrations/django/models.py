"""No tables: the journal's are its own. The permission to publish, for the project's users and groups."""

from __future__ import annotations

from django.db import models


class Publishing(models.Model):  # type: ignore[misc]  # Django has no types
    """Carries the permission `policenotify.publish`, which `manage.py migrate` makes."""

    class Meta:
        """No table, and none of the permissions that Django makes for one."""

        managed = False
        default_permissions = ()
        permissions = (("publish", "May publish police notifications"),)

    def __str__(self) -> str:
        return "publishing"
