"""Write the page of what papers claim and what the notebooks measured beside it.

python -m ps_helpers.tools.paper_claims writes notebooks/paper_claims.md of
notebooks/teacher/paper_claims.toml and the stored outputs; --check compares.
"""

import re
import sys
import tomllib
from itertools import pairwise

from ps_helpers.tools import command
from ps_helpers.tools.command import SourceError
from ps_helpers.tools.glossary import anchor, number
from ps_helpers.tools.student_notebooks import find, read

VERDICTS = "holds", "holds in part", "not seen here"
CHECKED = "read", "reported", "not checked"
NUMBER = r"(?:[-+]?\d+(?:,\d{3})*(?:\.\d+)?|inf)(?![\d.]*\d)"  # a whole one
PLACE = re.compile(r"\{([a-z]\w*|)\}")  # {name}, or {} for any number
CLAIM = """
## {heading}

**{verdict}.** {why}

- *The claim* ({place}; {checked}): {claim}
- *Here* ({runs}): {measured}
- *Cells*, by section: {cells}.
"""


def printed(cell):
    """Return what a cell has printed, with single spaces."""
    texts = (output.get("text", "") for output in cell.get("outputs", []))
    return " ".join(" ".join(texts).split()) + " "


def outline(folder):
    """Return {notebook and cell: (path, section, output)} of the code cells."""
    found = {}
    for path in find(folder / "teacher", []):
        section = ""
        for cell in read(path).cells:
            if cell.cell_type == "code":
                found[f"{number(path)} {cell.id}"] = path, section, printed(cell)
            elif titles := re.findall(r"^## (.+)$", cell.source, re.M):
                section = titles[-1]
    return found


def numbers(line, text):
    """Return {name: number} that a line with {name} in it finds in a text, once."""
    names = PLACE.findall(line)
    first, *others = (re.escape(part) for part in PLACE.split(line)[::2])
    pattern = first + "".join(f"({NUMBER}){part}" for part in others)
    found = re.findall(rf"(?<![\d.]){pattern}", text)
    if len(found) != 1:
        raise SourceError(f"{len(found)} times in its output: {line!r}")
    values = found[0] if len(names) > 1 else found[:1]
    return {name: v for name, v in zip(names, values, strict=False) if name}


def measured(claim, cells):
    """Return {name: number} of all cells of a claim; raise SourceError if it broke."""
    found = {}
    for name, lines in claim["cells"].items():
        if name not in cells:
            raise SourceError(f"no cell {name}")
        for line in lines:
            for key, value in numbers(line, cells[name][2]).items():
                if found.setdefault(key, value) != value:
                    raise SourceError(f"{key} is {found[key]}, and {value} in {name}")
    for chain in claim["still"]:
        parts = [found.get(part, part) for part in chain.split(" < ")]
        values = [float(part.replace(",", "")) for part in parts]
        if not all(a < b for a, b in pairwise(values)):
            raise SourceError(f"no longer: {chain}, which is {' < '.join(parts)}")
    return found


def entry(claim, papers, cells):
    """Return the section of a claim."""
    for key, known in ("verdict", VERDICTS), ("checked", CHECKED), ("paper", papers):
        if claim[key] not in known:
            raise SourceError(f"no {key} is called {claim[key]!r}")
    found = measured(claim, cells)
    told = {key: claim[key].format(**found) for key in ("runs", "measured", "why")}
    told |= {"heading": heading(claim), "verdict": claim["verdict"].capitalize()}
    links = {}
    for name in claim["cells"]:
        path, section, _ = cells[name]
        notebook, _, cell = name.partition(" ")
        link = f"[notebook {notebook}, {section}]({path.name}#{anchor(section)})"
        links.setdefault(link, []).append(f"`{cell}`")
    listed = "; ".join(f"{link}: {', '.join(ids)}" for link, ids in links.items())
    return CLAIM.format(**claim | told | {"cells": listed})


def heading(claim):
    return f"{claim['paper']}: {claim['title']}"


def make(folder):
    """Return {path: text of the page}; raise SourceError for what no longer stands."""
    source = tomllib.loads((folder / "teacher/paper_claims.toml").read_text("utf-8"))
    claims, papers, cells = source["claims"], source["papers"], outline(folder)
    rows, parts = [], []
    for claim in claims:
        title = heading(claim)
        try:
            parts.append(entry(claim, papers, cells))
        except (ValueError, KeyError) as error:
            raise SourceError(f"{title}: {error}") from None
        link = f"[{claim['title']}](#{anchor(title)})"
        rows.append(f"| {claim['paper']} | {link} | {claim['verdict']} |\n")
    top = source["top"].format(papers=len(papers), claims=len(claims))
    listed = "".join(f"- {text}.\n" for text in papers.values())
    text = top + "".join(rows + parts) + f"\n## The papers\n\n{listed}"
    return {folder / "paper_claims.md": text}


if __name__ == "__main__":
    sys.exit(command.keep(__doc__, make))
