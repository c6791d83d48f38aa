"""The files of a feed in a bucket of an object store that speaks the protocol of S3."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

from policenotify.errors import Blocked, Unavailable, Unconfirmed
from policenotify.networks import import_lock

if TYPE_CHECKING:
    from obstore.store import S3Store

_TYPES: Final[Mapping[str, str]] = {
    "atom": "application/atom+xml",
    "css": "text/css; charset=utf-8",
    "geojson": "application/geo+json",
    "html": "text/html; charset=utf-8",
    "ics": "text/calendar; charset=utf-8",
    "jpg": "image/jpeg",
    "json": "application/json",
    "png": "image/png",
    "rss": "application/rss+xml",
    "xml": "application/xml",
}
_CACHE: Final = "public, max-age=30"  # seconds: readers such as feed2exec obey it
_DENIED: Final = re.compile(r"non-2xx status code: 40[13]")


class BucketStore:
    """A bucket. An object is replaced as a whole, so that readers get the old or the new one.

    There is no lock between two installations. Who draws looks again afterwards whether items were added meanwhile.

    Args:
        bucket: Its name.
        prefix: The folder in it.
        endpoint: The address of the service. Empty: Amazon's.
        region: The region of the service.
        access_key: The key's id.
        secret_key: The key.
        timeout: Seconds for each call.
    """

    def __init__(
        self, *, bucket: str, prefix: str, endpoint: str, region: str, access_key: str, secret_key: str, timeout: float
    ) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._endpoint = endpoint
        self._region = region
        self._access_key = access_key
        self._secret_key = secret_key
        self._timeout = timeout

    @cached_property
    def _store(self) -> S3Store:
        with import_lock():
            from obstore.store import S3Store  # noqa: PLC0415 - only this store needs it

        return S3Store(
            self._bucket,
            prefix=self._prefix or None,
            endpoint=self._endpoint or None,
            region=self._region,
            access_key_id=self._access_key,
            secret_access_key=self._secret_key,
            client_options={
                "timeout": timedelta(seconds=self._timeout),
                "connect_timeout": timedelta(seconds=self._timeout),
                "allow_http": True,
            },
            retry_config={"max_retries": 0},  # the core decides whether anything is sent again
        )

    def files(self, folder: str) -> Mapping[str, str]:
        """See `Store.files`."""
        import obstore  # noqa: PLC0415 - only this store needs it

        with self._errors():
            listed = obstore.list_with_delimiter(self._store, f"{folder}/")["objects"]
        return {each["path"]: each["e_tag"] or "" for each in sorted(listed, key=lambda each: each["path"])}

    def folders(self, folder: str) -> Sequence[str]:
        """See `Store.folders`."""
        import obstore  # noqa: PLC0415 - only this store needs it

        with self._errors():
            prefixes = obstore.list_with_delimiter(self._store, f"{folder}/")["common_prefixes"]
        return sorted(each.rstrip("/").rpartition("/")[2] for each in prefixes)

    def read(self, path: str) -> bytes | None:
        """See `Store.read`."""
        import obstore  # noqa: PLC0415 - only this store needs it

        with self._errors():
            try:
                return bytes(obstore.get(self._store, path).bytes())
            except FileNotFoundError:
                return None

    def create(self, path: str, content: bytes) -> bool:
        """See `Store.create`. The service itself refuses an object that exists."""
        import obstore  # noqa: PLC0415 - only this store needs it
        from obstore.exceptions import AlreadyExistsError  # noqa: PLC0415 - the same

        with self._errors(doubtful=True):
            try:
                obstore.put(self._store, path, content, mode="create", attributes=_attributes(path))
            except AlreadyExistsError:
                return False
        return True

    def replace(self, path: str, content: bytes) -> bool:
        """See `Store.replace`."""
        import obstore  # noqa: PLC0415 - only this store needs it

        if self.read(path) == content:
            return False
        with self._errors():
            obstore.put(self._store, path, content, attributes=_attributes(path))
        return True

    def remove(self, path: str) -> None:
        """See `Store.remove`."""
        import obstore  # noqa: PLC0415 - only this store needs it

        with self._errors():
            try:
                obstore.delete(self._store, path)
            except FileNotFoundError:
                return

    def exclusive(self) -> AbstractContextManager[None]:
        """Do nothing: the lease of the installation is all there is."""
        return nullcontext()

    def check(self) -> None:
        """See `Store.check`."""
        self.replace(".new/probe", b"probe")
        self.remove(".new/probe")

    @contextmanager
    def _errors(self, *, doubtful: bool = False) -> Iterator[None]:
        """Turn an error of the service into one that a person can act on. None of its own words is kept."""
        from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError  # noqa: PLC0415 - as above

        try:
            yield
        except (BaseError, OSError) as error:
            # obstore 0.12.1 has no class of its own for a list that is denied.
            if isinstance(error, PermissionDeniedError | UnauthenticatedError) or _DENIED.search(str(error)):
                raise Blocked(
                    f"The bucket {self._bucket} of the feed may not be read or written with this key.",
                    remedy="Check the key, and its rights on the bucket. Then: policenotify doctor",
                ) from None
            kind = Unconfirmed if doubtful else Unavailable
            raise kind(
                f"The bucket {self._bucket} of the feed cannot be reached, or gives no answer that can be read."
            ) from None


def _attributes(path: str) -> dict[str, str]:
    kind = _TYPES.get(path.removesuffix(".gz").rpartition(".")[2], "application/octet-stream")
    if path.startswith("cap/"):
        kind = "application/cap+xml"
    encoding = {"Content-Encoding": "gzip"} if path.endswith(".gz") else {}
    return {"Content-Type": kind, "Cache-Control": _CACHE, **encoding}
