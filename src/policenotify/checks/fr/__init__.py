"""The law of France: what a French police service does not publish, and how it is worded."""

from __future__ import annotations

from typing import Final

from policenotify.checks.fr import advice, operations, persons, rules
from policenotify.checks.rule import Rule, rules_in

RULES: Final[tuple[Rule, ...]] = (*rules_in(advice, operations, persons, rules), *rules.PLAIN)
"""The rules, as the entry point `policenotify.checks` names them."""
