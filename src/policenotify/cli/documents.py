"""Domain objects as JSON: the documents of the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def json_fields(value: object) -> Any:  # noqa: ANN401 - JSON
    """Return domain objects as JSON, without the fields that have no value."""
    from pydantic import TypeAdapter

    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Mapping):
        return {str(name): json_fields(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [json_fields(each) for each in value]
    return TypeAdapter[object](type(value)).dump_python(value, mode="json", by_alias=True, exclude_none=True)


def json_text(document: object, *, indent: int | None = 2) -> str:
    """Return a domain object as JSON, in one line if *indent* is `None`."""
    return json.dumps(json_fields(document), ensure_ascii=False, indent=indent)
