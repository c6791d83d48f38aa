"""The shipped files for containers: valid, closed, and in agreement with each other and with the command line."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from dockerfile_parse import DockerfileParser
from jsonschema import Draft7Validator
from packaging.specifiers import SpecifierSet

from policenotify.cli.app import program

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "operations" / "share" / "policenotify" / "container"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("localhost/policenotify:")}
PAGE = ROOT / "docs" / "howto" / "run-in-a-container.md"
_PARSER = DockerfileParser(fileobj=BytesIO((FOLDER / "Containerfile").read_bytes()))
IMAGE = [(each["instruction"], each["value"]) for each in _PARSER.structure if each["instruction"] != "COMMENT"]
SCHEMA = json.loads((Path(__file__).parent / "container" / "compose-spec.json").read_text("utf-8"))


def _parse(arguments: list[str]) -> click.Context:
    """Parse a command line as `policenotify` does, without running it. A wrong one raises a `UsageError`."""
    group = click.Context(program, info_name="policenotify", **program.context_settings)
    name, *rest = arguments
    command = program.get_command(group, name)
    assert command is not None
    return command.make_context(name, rest, parent=group)


def _secrets(service: Mapping[str, Any]) -> list[str]:
    """Return the names of a service's secrets, in the short and the long form."""
    return [each["source"] if isinstance(each, dict) else each for each in service.get("secrets", ())]


def test_the_compose_file_fits_the_schema_of_its_specification() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert [f"{error.json_path}: {error.message}" for error in Draft7Validator(SCHEMA).iter_errors(COMPOSE)] == []


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_closed(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    user, group = service["user"].split(":")
    assert int(user) > 0 < int(group)
    assert "privileged" not in service
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert {"noexec", "nosuid", "nodev"} <= set(re.split("[,:]", service["tmpfs"][0]))


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_watched_and_started_again_unless_it_ends_by_itself(name: str) -> None:
    service = SERVICES[name]
    if service["restart"] == "no":
        assert service["healthcheck"] == {"disable": True}
        waiting = [
            one["depends_on"][name]["condition"] for one in SERVICES.values() if name in one.get("depends_on", {})
        ]
        assert set(waiting) == {"service_completed_successfully"}
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"]
        assert service["stop_grace_period"]


def test_passwords_are_in_files_only() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert name.endswith("_FILE") or "PASSWORD" not in name
            assert "://" not in value
    named = {name for service in SERVICES.values() for name in _secrets(service)}
    assert named == set(COMPOSE["secrets"])
    assert [name for name, service in SERVICES.items() if "owner-url" in _secrets(service)] == [
        "database",
        "migrate",
    ]
    assert not SERVICES["feed"].get("secrets")


def test_every_mounted_file_and_volume_exists() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source, _, target = volume.partition(":")
            assert target.startswith("/")
            if source.startswith("."):
                assert target.endswith(":ro"), volume
                assert (FOLDER / source).exists(), volume
            else:
                assert source in COMPOSE["volumes"]
        assert set(service["networks"]) <= set(COMPOSE["networks"])


def test_the_journal_is_reached_by_those_alone_that_need_it() -> None:
    assert COMPOSE["networks"]["journal"] == COMPOSE["networks"]["monitoring"] == {"internal": True}
    assert {name for name, service in SERVICES.items() if "journal" in service["networks"]} == {
        "database", "migrate", "worker", "monitor"
    }  # fmt: skip
    assert "ports" not in SERVICES["monitor"]


def test_the_page_names_commands_and_files_that_exist() -> None:
    page = PAGE.read_text("utf-8")
    commands = re.findall(r"docker compose run --rm (?:-e \S+?=(?:\"[^\"]*\"|\S+) )?(\S+) ([^`\n]+)", page)
    assert len(commands) == 5
    for service, command in commands:
        assert service in OURS
        assert _parse(shlex.split(command))
    [path] = re.findall(r"docker build -t \S+ -f (\S+) \.", page)
    assert ROOT / path == FOLDER / "Containerfile"
    assert set(re.findall(r"policenotify:([\d.]+)", page)) == set(re.findall(r"POLICENOTIFY_VERSION=([\d.]+) ?>", page))
    for secret in COMPOSE["secrets"]:
        assert secret in page


def test_the_image_is_built_with_the_uv_that_builds_the_wheel() -> None:
    [pinned] = re.findall(r"^uv==(\S+)", (FOLDER / "uv.txt").read_text("utf-8"), re.MULTILINE)
    required = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
    assert [pinned in SpecifierSet(one.removeprefix("uv_build")) for one in required] == [True]
    steps = [value for instruction, value in IMAGE if instruction == "RUN"]
    installs = [step for step in steps if "pip install" in step and "dist/*.whl" not in step]
    assert len(installs) == 2
    assert all("--require-hashes" in step for step in installs)


@pytest.mark.parametrize("name", ["migrate", "worker"])
def test_the_command_of_a_service_is_understood(name: str) -> None:
    assert _parse(SERVICES[name]["command"])


def test_prometheus_reads_the_monitor_and_the_shipped_rules() -> None:
    read = yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))
    [job] = read["scrape_configs"]
    command = SERVICES["monitor"]["command"]
    assert job["static_configs"] == [{"targets": [f"monitor:{command[command.index('--port') + 1]}"]}]
    [rules] = read["rule_files"]
    assert "../prometheus:/etc/prometheus/rules:ro" in SERVICES["prometheus"]["volumes"]
    assert (FOLDER.parent / "prometheus" / Path(rules).name).exists()


@pytest.mark.prometheus
def test_the_settings_of_prometheus_are_valid(tmp_path: Path) -> None:
    text = (FOLDER / "prometheus.yml").read_text("utf-8")
    file = tmp_path / "prometheus.yml"
    file.write_text(text.replace("/etc/prometheus/rules", str(FOLDER.parent / "prometheus")), encoding="utf-8")
    for command in (["check", "config", str(file)], ["check", "healthy", "--help"]):
        done = subprocess.run(["promtool", *command], check=False, capture_output=True, text=True)  # noqa: S603, S607 - Debian's
        assert done.returncode == 0, done.stdout + done.stderr
