"""Ask grammalecte about French texts, with the interpreter that Debian's `python3-grammalecte` is for.

Reads `{"options": {"apos": false}, "texts": [...]}`, and writes for each text a list of `[rule, excerpt, message]`. The
rule of an unknown word is `spelling`.
"""

from __future__ import annotations

import json
import sys

import grammalecte  # type: ignore[import-not-found]  # of Debian's interpreter

checker = grammalecte.GrammarChecker("fr")
asked = json.load(sys.stdin)
checker.getGCEngine().setOptions(asked["options"])
answers = []
for text in asked["texts"]:
    faults, unknown = checker.getParagraphErrors(text)
    answers.append(
        [[fault["sRuleId"], text[fault["nStart"] : fault["nEnd"]], fault["sMessage"]] for fault in faults]
        + [["spelling", word["sValue"], "No dictionary has this word."] for word in unknown]
    )
json.dump(answers, sys.stdout)
