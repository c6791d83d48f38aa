"""Draw the layers of the package from its import contract, in the architecture page, and refuse imports that climb.

Between its two marks the page is written from the code. `--check` compares instead, and exits with 1 if it is old.
"""

from __future__ import annotations

import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from metrics import imports, modules

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "contributing" / "architecture.md"
BEGIN = "<!-- from here to the next mark: python .ci/build_diagram.py -->\n"
END = "<!-- end of the generated part -->\n"
BESIDE = {"testing"}  # outside the layers: imported only by the `demo` command

Edges = dict[str, set[str]]


def main() -> int:
    """Write or compare the page."""
    before = PAGE.read_text("utf-8")
    head, _, rest = before.partition(BEGIN)
    after = head + BEGIN + "\n".join(drawing()) + "\n" + END + rest.partition(END)[2]
    if after == before:
        return 0
    if "--check" in sys.argv[1:]:
        print(f"{PAGE.relative_to(ROOT)} shows old layers. Run: python .ci/build_diagram.py")
        return 1
    PAGE.write_text(after, "utf-8")
    return 0


def drawing() -> Iterator[str]:
    """Yield the layers, the highest first."""
    layers, edges = read_layers(), read_edges()
    level = {name: number for number, layer in enumerate(layers) for name in layer}
    if unknown := sorted(set(edges) - set(level) - BESIDE):
        raise SystemExit(f"In no layer of the import contract: {', '.join(unknown)}")
    upward = [
        f"{name} -> {other}" for name in level for other in edges[name] & set(level) if level[other] <= level[name]
    ]
    if upward:
        raise SystemExit(f"Imports that climb: {', '.join(upward)}")
    yield from ("", "```text")
    yield from ("   ".join(layer) for layer in layers)
    yield from ("```", "")


def read_layers() -> list[list[str]]:
    """Return the layers of the import contract, the highest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    return [[name.strip() for name in layer.split("|")] for layer in layers]


def read_edges() -> Edges:
    """Return which packages each package imports, lazily or for type checkers included."""
    edges: Edges = defaultdict(set)
    for module, others in imports(modules()).items():
        for other in others:
            importer, imported = module.split(".")[1:2], other.split(".")[1:2]
            if importer and imported and importer != imported:
                edges[importer[0]].add(imported[0])
                edges.setdefault(imported[0], set())
    return edges


if __name__ == "__main__":
    sys.exit(main())
