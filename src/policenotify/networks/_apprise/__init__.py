"""What e-mail, SMS and the network `apprise` share: services of apprise, their URLs and their answers."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from policenotify.networks import import_lock


def load_service() -> Any:  # noqa: ANN401 - a module
    """Return the module `service`, which loads apprise."""
    with import_lock():
        return import_module("policenotify.networks._apprise.service")
