"""French departments by their statistical codes (NUTS 3), in which weather services name areas.

The regions changed in 2016. Both sets are read, because published alerts still use the one before.
"""

from __future__ import annotations

from typing import Final

# Eurostat, NUTS 2024 and NUTS 2013: the departments of a region of level 2, in the order of the codes of level 3.
_NOW: Final = {
    "FR10": "75 77 78 91 92 93 94 95", "FRC1": "21 58 71 89", "FRC2": "25 39 70 90", "FRD1": "14 50 61",
    "FRD2": "27 76", "FRE1": "59 62", "FRE2": "02 60 80", "FRF1": "67 68", "FRF2": "08 10 51 52",
    "FRF3": "54 55 57 88", "FRG0": "44 49 53 72 85", "FRB0": "18 28 36 37 41 45", "FRH0": "22 29 35 56",
    "FRI1": "24 33 40 47 64", "FRI2": "19 23 87", "FRI3": "16 17 79 86", "FRJ1": "11 30 34 48 66",
    "FRJ2": "09 12 31 32 46 65 81 82", "FRK1": "03 15 43 63", "FRK2": "01 07 26 38 42 69 73 74",
    "FRL0": "04 05 06 13 83 84", "FRM0": "2A 2B",
}  # fmt: skip
_BEFORE: Final = {
    "FR21": "08 10 51 52", "FR22": "02 60 80", "FR23": "27 76", "FR24": "18 28 36 37 41 45", "FR25": "14 50 61",
    "FR26": "21 58 71 89", "FR30": "59 62", "FR41": "54 55 57 88", "FR42": "67 68", "FR43": "25 39 70 90",
    "FR51": "44 49 53 72 85", "FR52": "22 29 35 56", "FR53": "16 17 79 86", "FR61": "24 33 40 47 64",
    "FR62": "09 12 31 32 46 65 81 82", "FR63": "19 23 87", "FR71": "01 07 26 38 42 69 73 74", "FR72": "03 15 43 63",
    "FR81": "11 30 34 48 66", "FR82": "04 05 06 13 83 84", "FR83": "2A 2B",
}  # fmt: skip
_OVERSEAS: Final = {"FRY10": "971", "FRY20": "972", "FRY30": "973", "FRY40": "974", "FRY50": "976"}
_OVERSEAS_BEFORE: Final = {
    "FR910": "971", "FR920": "972", "FR930": "973", "FR940": "974",
    "FRA10": "971", "FRA20": "972", "FRA30": "973", "FRA40": "974", "FRA50": "976",
}  # fmt: skip


def _third(regions: dict[str, str]) -> dict[str, str]:
    return {f"{code}{at}": each for code, names in regions.items() for at, each in enumerate(names.split(), 1)}


NUTS3: Final = {**_third(_NOW), **_OVERSEAS}
"""Each department by its present code."""

DEPARTMENTS: Final = {**_third(_BEFORE), **_OVERSEAS_BEFORE, **NUTS3}
"""Each department by every code that it has had since 2010."""

CODES: Final = {department: code for code, department in NUTS3.items()}
"""The present code of each department."""
