"""Publishing from a Django project: the journal's tables are in its database, and `atomic()` holds them together.

```python
INSTALLED_APPS = [..., "policenotify.integrations.django"]
POLICENOTIFY = {"SETTINGS": BASE_DIR / "policenotify.toml"}
```
"""

from __future__ import annotations

from policenotify.integrations.django.publishing import open_publisher, publish, publisher

__all__ = ["open_publisher", "publish", "publisher"]
