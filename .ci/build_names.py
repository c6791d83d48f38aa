"""Build `src/policenotify/data/first_names_2021.txt.gz`, the first names that the checks know.

Run from anywhere in the checkout; needs the standard library and INSEE's national file of first names, `nat2021.csv`
(columns sexe, preusuel, annais, nombre), from https://www.insee.fr/fr/statistiques/2540004:

```
python .ci/build_names.py nat2021.csv           write the file
python .ci/build_names.py nat2021.csv --check   write nothing, fail if the committed file differs
```

The file is gzip around UTF-8 text: one name a line, in small letters without accents, sorted. A name that is also a
common word, a month, a country or a town ends with `?`: it counts only before another name.

Left out: names given fewer than 500 times since 1900, names of fewer than three letters, and double names, whose first
part has a line of its own.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Final

YEAR: Final = 2021
TARGET: Final = Path(__file__).parents[1] / "src" / "policenotify" / "data" / f"first_names_{YEAR}.txt.gz"
LEAST: Final = 500
SHORTEST: Final = 3
RARE: Final = "_PRENOMS_RARES"  # INSEE's line for all names that are too rare to be told

COMMON: Final = frozenset(
    """
    adonis africa aida aimable aime aimee alize alma alpha amazone ambre america amine amour ana andalousie anes
    ange angel angelique anis anonyme any april arcade argentine aria art asia assomption aube aubin auguste aurore
    automne autumn avril bahia balthazar barbe baron batiste bella ben beryl bill blanche boubou brandon brune cali
    calypso camelia can canada candide cannelle capucine casimir celeste cerise cesar chance cherif cherokee china
    chine chretien christ clair claire clairette clemence clement colin collette colline colombe conception congo
    constance constant corail dahlia dakota dan daphne dean denis desire desiree diane divine don donna doris dream
    duc dune eden eglantine elite else emeraude emir epiphane ere eros esperance espoir ester etienne eustache eve
    even faith faustine felicite fidele fleur flore floreal florence florentin florentine florida fortune franc
    france francisque fritz gabon garance gemma germain germaine gilles gloria grace gracieuse guillemette guinee
    harmonie harris havana henry hermine hilaire honorat honore honorine hope hyacinthe ile incarnation india
    innocent irene iris isis islam israel italia ivoire jacinthe jack jade jamaica jan jasmin jazz jean jeanne jenny
    jordan jordanie joy joyce july june junior just juste justice justin kelvin kenya king laid lamine laurier liane
    libre lilas lin line lis lise loire lois lola lorette lorraine lot lou loup lourdes louve love loyal lucky luis
    lys lyse madeleine madison mai maia mali malte mama manche manuel manuelle many marc marguerite maria marin
    marina marine marjolaine mark marne mars martial max maxime may maya mecque medina medine meline melodie
    mercedes mercure merlin merveille mia milan mina mira miracle modeste moira moise muguette murat musa myrtille
    nadir nancy narcisse nation neo ness nil noel nonce noria nour nova oasis ocean oceane octave octavia odin olive
    olympe opale or orchidee oriane orient oscar paloma pamela pandora paquerette parfait paris pascal pascale
    patience patrice paule pax perla perle pervenche peter philippine pierre placide prince princesse printemps
    prosper providence prudence prudent prune radia raja rami raphia regis reine rene rhin rhone rida rima rime
    river robert robin roche romain romaine roman romane rome rosa rosaire rose rosee rosette rosie royal ruth
    sabine sable sahara sahel said saint sainte salem salvador sam samba sana saphir satine saturnin sauveur
    savannah savoie sema sera seraphin serge shell sid sky sol soleil solen sony star sultan summer sydney sylvestre
    tais tara tchad tiana togo tomas tommy toscane toussaint trinite tulipe urbain valence valley van vanille vera
    veronique victoire victoria vienne violette virginie vital vitalis voltaire will yasmine zephyr zola
    """.split()  # noqa: SIM905 - a table
)
"""Names that are common words, months, countries or towns, too. Looked through by hand."""


def _fold(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def names(source: Path) -> str:
    """Return the text of the file."""
    given: Counter[str] = Counter()
    with source.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter=";"):
            if row["preusuel"] != RARE:
                given[_fold(row["preusuel"])] += int(row["nombre"])
    kept = sorted(name for name, count in given.items() if count >= LEAST and len(name) >= SHORTEST and name.isalpha())
    return "".join(f"{name}?\n" if name in COMMON else f"{name}\n" for name in kept)


def main() -> int:
    """Write or check the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    text = names(arguments.source)
    if arguments.check:
        same = gzip.decompress(TARGET.read_bytes()).decode() == text
        print("the same" if same else f"{TARGET.name} differs from what {arguments.source} gives")
        return 0 if same else 1
    TARGET.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{TARGET.name}: {text.count(chr(10))} names, {TARGET.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
