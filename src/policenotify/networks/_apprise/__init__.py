"""What e-mail, SMS and the network `apprise` share: services of apprise, their URLs and their answers."""

from __future__ import annotations

from typing import Any

from policenotify.networks import load


def load_service() -> Any:  # noqa: ANN401 - a module
    """Return the module `service`, which loads apprise."""
    return load("policenotify.networks._apprise.service")
