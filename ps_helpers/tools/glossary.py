"""Write the series' glossary from the Words sections of the teacher's notebooks.

python -m ps_helpers.tools.glossary writes notebooks/glossary.md, with --check it only
compares. Exit status: 0 for success, 1 for a difference that --check found, 2 for a
mistake in a Words section.
"""

import argparse
import re
import sys
from pathlib import Path

from ps_helpers.tools.student_notebooks import SourceError, find, read

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


def anchor(term):
    return term.replace(" ", "-")


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


def glossary(found):
    """Return the text of the glossary, in alphabetical order."""
    parts = [TOP]
    for term, (definition, path) in sorted(found.items()):
        parts.append(
            f"\n## {term}\n\n{definition[0].upper()}{definition[1:]}\n"
            f"Introduced in [notebook {number(path)}]({path.name}).\n"
        )
    return "".join(parts)


def main(arguments=None):
    """Run the command with these arguments; return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say what differs")
    parser.add_argument("--folder", type=Path, default=Path("notebooks"))
    options = parser.parse_args(arguments)
    path = options.folder / NAME
    try:
        text = glossary(entries(options.folder))
    except SourceError as error:
        print(error, file=sys.stderr)
        return 2
    if not options.check:
        path.write_text(text, encoding="utf-8")
    elif not path.exists() or path.read_text(encoding="utf-8") != text:
        print(
            f"{path} is stale: run python -m ps_helpers.tools.glossary", file=sys.stderr
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
