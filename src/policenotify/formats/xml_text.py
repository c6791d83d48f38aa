"""Write XML with prefixes as they stand, and without characters that XML cannot hold.

The names are written as they are given. ElementTree's own prefixes are set for the whole process.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

# The characters of XML 1.0, section 2.2, but controls and non-characters, which HTML or iCalendar refuse.
_PLANES: Final = "".join(f"{chr(plane << 16)}-{chr((plane << 16) + 0xFFFD)}" for plane in range(1, 17))
_NO_XML: Final = re.compile(f"[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd{_PLANES}]")


def printable(text: str) -> str:
    """Return a text without the characters that XML, HTML and iCalendar may not hold."""
    return _NO_XML.sub("", text)


def root(name: str, attributes: Mapping[str, str]) -> Element:
    """Return the top element of a document, which declares its namespaces as attributes."""
    return Element(name, {key: printable(value) for key, value in attributes.items()})


def add(parent: Element, name: str, text: str = "", **attributes: str) -> Element:
    """Add an element and return it."""
    child = SubElement(parent, name, {key: printable(value) for key, value in attributes.items()})
    if text:
        child.text = printable(text)
    return child


def document(top: Element) -> bytes:
    """Return a document in UTF-8 with its declaration."""
    text: str = tostring(top, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def timestamp(moment: datetime) -> str:
    """Return a time in UTC with microseconds (RFC 3339)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
