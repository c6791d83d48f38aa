"""Importing this module loads and compiles what a desk needs: for the server that all processes are forked from."""

from __future__ import annotations

from tests.acceptance.crash.installation_process import warm_up

warm_up()
