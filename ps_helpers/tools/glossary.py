"""Write the series' glossary from the Words sections of the teacher's notebooks.

python -m ps_helpers.tools.glossary writes notebooks/glossary.md, --check compares.
"""

import re
import sys

from ps_helpers.tools import command
from ps_helpers.tools.command import SourceError
from ps_helpers.tools.student_notebooks import find, read

NAME = "glossary.md"
# Lower case, so that JupyterLab, GitHub and Sphinx make the same anchor of a heading.
WORD = re.compile(r"- \*\*([a-z]+(?:[ -][a-z]+)*)\*\*: (.+)")
TOP = """\
# Glossary

Definitions, in the words of the notebook that introduces each term.
"""


def number(path):
    """Return the number of a notebook as the text names it, such as 3 or 4b."""
    return path.name.partition("_")[0].removeprefix("0")


def anchor(title):
    """Return the anchor of a heading, as GitHub and Sphinx make it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def words(path):
    """Yield each term of a notebook's Words section, and its definition."""
    text = "\n".join(
        cell.source for cell in read(path).cells if cell.cell_type == "markdown"
    )
    section = text.partition("\n## Words\n")[2].partition("\n## ")[0]
    for line in filter(None, section.splitlines()):
        if not (word := WORD.fullmatch(line)):
            raise SourceError(f"{path}: not `- **term**: definition.`: {line}")
        yield word.groups()


def entries(folder):
    """Return {term: (definition, path)} of a folder of notebooks, in their order.

    Raises SourceError for a term that is defined twice.
    """
    found = {}
    for path in find(folder / "teacher", []):
        for term, definition in words(path):
            if term in found:
                both = f"{found[term][1]} and {path}"
                raise SourceError(f"{term!r} is defined twice: {both}")
            found[term] = definition, path
    return found


def make(folder):
    """Return {path: text of the glossary}, in alphabetical order."""
    parts = [TOP]
    for term, (definition, path) in sorted(entries(folder).items()):
        parts.append(
            f"\n## {term}\n\n{definition[0].upper()}{definition[1:]}\n"
            f"Introduced in [notebook {number(path)}]({path.name}).\n"
        )
    return {folder / NAME: "".join(parts)}


if __name__ == "__main__":
    sys.exit(command.keep(__doc__, make))
