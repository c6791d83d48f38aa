"""What some SMS gateways say in answers that are a success by their status.

Read in the plugins of apprise 2.3.0, which tell it only in words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from policenotify.errors import Refused
from policenotify.networks._apprise.client import CapturedLog, Reading

_NAME = re.compile(r"[A-Z_]{3,60}")  # infobip.com/docs/essentials/response-status-and-error-codes
_SFR = re.compile(r"server_error=(?!UNKNOWN)([\w-]{1,40}),")
_CM = re.compile(r"CM\.com did not accept \S+: (?!no reason was given)")
_SERWERSMS = re.compile(r"API error (\d{1,6}) - ")


def _refused(code: str = "") -> Refused:
    return Refused("The SMS gateway refused the message for this person.", code=code)


def _sfr(heard: CapturedLog) -> Refused | None:
    found = next(filter(None, map(_SFR.search, heard.said)), None)
    return _refused(found[1]) if found else None


def _cm(heard: CapturedLog) -> Refused | None:
    return _refused() if any(map(_CM.match, heard.said)) else None


def _serwersms(heard: CapturedLog) -> Refused | None:
    found = next(filter(None, map(_SERWERSMS.search, heard.said)), None)
    return _refused(found[1]) if found else None


def _infobip(heard: CapturedLog) -> Refused | None:
    if heard.status != 200:  # noqa: PLR2004 - else the status tells; a 200 is complained of only for a refusal in it
        return None
    try:
        name = str(json.loads(heard.body)["messages"][0]["status"]["name"])
    except (ValueError, LookupError, TypeError):  # apprise quotes no more than 2000 bytes
        name = ""
    return _refused(name if _NAME.fullmatch(name) else "")


READINGS: Final[Mapping[str, Reading]] = {"cm": _cm, "infobip": _infobip, "serwersms": _serwersms, "sfr": _sfr}
"""How to read what a gateway says, by scheme."""
