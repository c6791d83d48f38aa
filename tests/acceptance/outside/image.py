"""Build and run an image without a container engine: a Containerfile's steps in overlays of the root of this machine.

It takes the place of the base image, so it must be a Debian, and only root can do it. Packages that a step installs
must be on this machine already: nothing of it is changed.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from dockerfile_parse import DockerfileParser

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# What a step may do with apt: name packages that are there.
_APT = """#!/bin/sh
[ "$1" = update ] && exit 0
[ "$1 $2 $3" = "install -y --no-install-recommends" ] || exit 100
shift 3
exec dpkg-query -W "$@"
"""
_MOUNT = """
set -e
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$1/root/tmp"
"""
_STEP = """
mkdir -p "$1/root$3"
mount --bind "$3" "$1/root$3"
exec /usr/sbin/chroot "$1/root" sh -e -c 'cd "$1" && eval "$2"' step "$2" "$4"
"""


def instructions(file: Path) -> list[tuple[str, str]]:
    """Return the instructions of a Containerfile, in capitals, each with its value on one line."""
    parser = DockerfileParser(fileobj=BytesIO(file.read_bytes()))
    return [(each["instruction"], each["value"]) for each in parser.structure if each["instruction"] != "COMMENT"]


def pairs(value: str) -> dict[str, str]:
    """Return the assignments of an `ENV` or `LABEL`."""
    found = (word.partition("=") for word in shlex.split(value))
    return {name: content for name, _, content in found}


@dataclass
class Stage:
    """A stage of a build, and an image once it is the last.

    Attributes:
        folder: Where its files are: those that differ from the base are in `upper`.
        options: The last value of each instruction, such as `USER`.
    """

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> Path:
        """The files that were added."""
        return self.folder / "upper"

    def words(self, instruction: str) -> list[str]:
        """Return a command in the form of an array, which starts no shell."""
        return re.findall(r'"([^"]*)"', self.options[instruction])


def build(file: Path, context: Path, into: Path, arguments: Mapping[str, str]) -> Stage:
    """Run every instruction, and return the last stage.

    Args:
        file: The Containerfile.
        context: The folder that it copies from.
        into: A folder for the stages.
        arguments: Values for its `ARG`.
    """
    before = os.umask(0o022)  # as engines have it
    try:
        return _build(file, context, into, arguments)
    finally:
        os.umask(before)


def _build(file: Path, context: Path, into: Path, arguments: Mapping[str, str]) -> Stage:
    stages: dict[str, Stage] = {}
    stage, given = Stage(into), dict[str, str]()
    for instruction, value in instructions(file):
        if instruction == "FROM":
            name = value.partition(" AS ")[2] or "image"
            stage = stages[name] = _new(into / name)
            given = {}
        elif instruction == "ARG":
            name, _, default = value.partition("=")
            given[name] = arguments.get(name, " ".join(shlex.split(default)))
        elif instruction == "ENV":
            stage.environment |= pairs(value)
        elif instruction == "COPY":
            _copy(stage, shlex.split(value), stages, context)
        elif instruction == "RUN":
            _run(stage, value, given)
        else:
            stage.options[instruction] = value
            if instruction == "WORKDIR":
                (stage.files / value[1:]).mkdir(parents=True, exist_ok=True)
    return stage


def _new(folder: Path) -> Stage:
    for name in ("upper/usr/local/bin", "upper/etc", "work", "root"):
        (folder / name).mkdir(parents=True)
    apt = folder / "upper/usr/local/bin/apt-get"
    apt.write_text(_APT, encoding="utf-8")
    apt.chmod(0o755)
    for name in ("resolv.conf", "hosts"):  # which an engine of this machine may have mounted
        (folder / "upper/etc" / name).write_bytes(Path("/etc", name).read_bytes())
    return Stage(folder)


def _copy(stage: Stage, words: list[str], stages: Mapping[str, Stage], context: Path) -> None:
    source = context
    if words[0].startswith("--from="):
        source = stages[words.pop(0).removeprefix("--from=")].files
    *names, target = words
    for name in names:
        found, place = source / name.lstrip("/"), stage.files / target[1:]
        if found.is_dir():
            shutil.copytree(found, place, symlinks=True, dirs_exist_ok=True)
        else:
            if target.endswith("/"):
                place = place / found.name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(found, place)


def _run(stage: Stage, command: str, given: Mapping[str, str]) -> None:
    """Run a step as root. It sees the certificates and the caches of this machine."""
    ours = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
    cache = Path(os.environ.get("UV_CACHE_DIR") or Path("~/.cache/uv").expanduser())
    cache.mkdir(parents=True, exist_ok=True)
    seen = {"PATH": PATH, "HOME": "/root", "UV_CACHE_DIR": os.fspath(cache), **ours, **stage.environment, **given}
    words = [os.fspath(stage.folder), stage.options.get("WORKDIR", "/"), os.fspath(cache), command]
    done = subprocess.run(  # noqa: S603 - our own file
        ["/usr/bin/unshare", "--mount", "/bin/bash", "-c", _MOUNT + _STEP, "step", *words],
        env=seen, check=False, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


# Process 1 of its own space of numbers, whose root cannot be written to. The network is that of this machine.
_START = """
for volume in $3; do
  from=${volume%%:*} to=${volume#*:} how=rw
  case $to in *:ro) how=ro to=${to%:ro} ;; esac
  mkdir -p "$1/root$to"
  mount --bind "$from" "$1/root$to"
  mount -o "remount,bind,$how" "$1/root$to"
done
mount -o remount,ro,bind "$1/root"
folder=$1 workdir=$2 user=$4 groups=$5
shift 5
exec /usr/sbin/chroot "$folder/root" env --chdir="$workdir" setpriv --reuid "${user%:*}" --regid "${user#*:}" $groups \\
  --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
"""


def start(
    image: Stage,
    command: Sequence[str] = (),
    *,
    volumes: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    entrypoint: Sequence[str] | None = None,
    **how: Any,
) -> subprocess.Popen[str]:
    """Start a container: as the image's user, without capabilities, in a root that only volumes can be written in.

    Args:
        image: The last stage of a build.
        command: Instead of that of the image.
        volumes: `FROM:TO` or `FROM:TO:ro`, with absolute paths.
        environment: Variables besides those of the image.
        entrypoint: Instead of that of the image.
        how: Further arguments of `subprocess.Popen`.
    """
    words = [*(image.words("ENTRYPOINT") if entrypoint is None else entrypoint), *(command or image.words("CMD"))]
    seen = {"HOME": image.options["WORKDIR"], **image.environment, **(environment or {})}
    fixed = [
        os.fspath(image.folder),
        image.options["WORKDIR"],
        " ".join(volumes),
        image.options["USER"],
        "--clear-groups",
    ]
    space = ["--mount", "--pid", "--fork", "--kill-child", "--ipc", "--uts"]
    return subprocess.Popen(  # noqa: S603 - our own file
        ["/usr/bin/unshare", *space, "/bin/bash", "-c", _MOUNT + _START, "start", *fixed, *words],
        env=seen, text=True, **how,
    )  # fmt: skip
