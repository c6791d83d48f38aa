"""Connections of `requests` that check the delivery's lease when they are open, right before they write.

Importing this module loads requests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.poolmanager import PoolManager

from policenotify.transport import before_publishing


class LeaseAdapter(HTTPAdapter):
    """An adapter for a `requests.Session` whose publishing calls are made within `publishing`."""

    def __init__(self) -> None:
        self._publishes = False
        super().__init__()

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Within, each request checks the lease right before it is written."""
        self._publishes = True
        try:
            yield
        finally:
            self._publishes = False

    def init_poolmanager(self, *args: Any, **more: Any) -> None:  # noqa: ANN401 - the parent's
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **more)
        self._check(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **more: Any) -> PoolManager:  # noqa: ANN401 - the parent's
        """Return the pools of connections through a proxy."""
        known = set(self.proxy_manager.values())
        manager: PoolManager = super().proxy_manager_for(*args, **more)
        if manager not in known:
            self._check(manager)
        return manager

    def _check(self, manager: PoolManager) -> None:
        adapter = self

        class Check:
            """Wraps what any of urllib3's connections does for one request."""

            def request(self: Any, *args: Any, **more: Any) -> None:  # noqa: ANN401 - the parent's
                if adapter._publishes:
                    if self.sock is None:
                        self.connect()  # which takes long: the check comes after it
                    before_publishing()
                super().request(*args, **more)  # type: ignore[misc]  # of the connection that it is mixed into

        def checked(pool: Any) -> Any:  # noqa: ANN401 - urllib3 types its pools by their instances
            connection = type(pool.ConnectionCls.__name__, (Check, pool.ConnectionCls), {})
            return type(pool.__name__, (pool,), {"ConnectionCls": connection})

        manager.pool_classes_by_scheme = {
            scheme: checked(pool) for scheme, pool in manager.pool_classes_by_scheme.items()
        }
