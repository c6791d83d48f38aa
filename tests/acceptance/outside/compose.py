"""Run services of the shipped compose file in an image that was built without an engine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.acceptance.outside import image
from tests.acceptance.outside.environments import ROOT

FOLDER = ROOT / "docs" / "operations" / "share" / "policenotify" / "container"
FILE = FOLDER / "compose.yaml"
PAGE = ROOT / "docs" / "howto" / "run-in-a-container.md"


def services() -> dict[str, dict[str, Any]]:
    """Return the services of the file, without its variables replaced."""
    read: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text("utf-8"))["services"]
    return read


def shell_blocks() -> list[str]:
    """Return the blocks of commands of the page about containers."""
    return re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def start(name: str, *command: str, built: image.Stage, installation: Path, **how: Any) -> subprocess.Popen[str]:
    """Start a service, or another command in its place.

    Args:
        name: The service.
        command: Instead of that of the service.
        built: The image.
        installation: A folder with `settings`, `secrets`, and a folder for each named volume.
        how: Further arguments of `image.start`.
    """
    service = services()[name]
    volumes = [f"{_secrets(name, installation)}:/run/secrets:ro"] if "secrets" in service else []
    for volume in service.get("volumes", ()):
        source, target = volume.split(":", 1)
        volumes.append(f"{installation / source}:{target}")
    arguments = {
        "volumes": volumes,
        "environment": service.get("environment", {}),
        "entrypoint": service.get("entrypoint"),
        **how,
    }
    return image.start(built, command or service["command"], **arguments)


def _secrets(name: str, installation: Path) -> Path:
    """Return a folder with the secrets of a service, under the names that it sees."""
    folder = installation / f"secrets-of-{name}"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    for each in services()[name]["secrets"]:
        source, target = (each, each) if isinstance(each, str) else (each["source"], each["target"])
        (folder / target).unlink(missing_ok=True)
        (folder / target).hardlink_to(installation / "secrets" / source)
    return folder


def health(name: str) -> list[str]:
    """Return the command of a service's health check, as an engine runs it."""
    kind, *command = services()[name]["healthcheck"]["test"]
    return ["/bin/sh", "-c", command[0].replace("$$", "$")] if kind == "CMD-SHELL" else command
