"""Load and compile on import what an installation needs, for the server that forks all processes."""

from __future__ import annotations

from tests.acceptance.crash.installation_process import warm_up

warm_up()
