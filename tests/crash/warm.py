"""Importing this module loads and compiles what a desk needs: for the server that all processes are forked from."""

from __future__ import annotations

from crash.desk_process import warm_up

warm_up()
