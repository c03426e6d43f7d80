"""Write slides and sheets of figures of the stored notebooks into build/slides.

NAME.html shows a notebook's figures and three key cells, one a screen and in their
order; NAME-figures.html has its figures for paper. Nothing is executed, and no page
needs a network. index.html leads to all of them, and to the cards of a game.
"""

import re
import shutil
import sys

from nbconvert import HTMLExporter
from nbformat import v4
from pygments.formatters import HtmlFormatter

from ps_helpers.tools import command
from ps_helpers.tools.command import SourceError
from ps_helpers.tools.student_notebooks import find, read

# By their ids: what a class should have seen on the wall.
KEY_CELLS = {
    "00_start_here": "00-03 00-order 00-order-both",
    "01_one_process": "01-24 01-28 01-43-run",
    "02_push_and_pull": "02-11 02-19 02-21",
    "03_ray_actors": "03-16 03-23d 03-58",
    "04_waiting": "04-11 04-19 04-26",
    "04b_virtual_time": "04-10 04-18b 04-36",
    "05_many_servers": "05-20 05-51 05-60b",
    "05b_rows_of_a_table": "05b-14 05b-20 05b-43",
    "06_the_price_of_a_message": "06-30 06-46b 06-64",
    "06b_fewer_bytes": "06b-19 06b-30 06b-68",
    "07_when_things_die": "63d5cf58 7174e988 6de69f57",
    "08_a_cluster": "08-10 08-44 08-68",
    "09_a_thousand_workers": "09-42 09-56 09-77",
}
GAME = "waiting_game.html"  # the cards of notebook 04, beside the teacher's notebooks

TEMPLATE = """\
{%- extends 'basic/index.html.j2' -%}
{%- block header -%}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ resources.metadata.name | escape_html }}</title>
<style>{{ resources.style }}</style>
</head>
<body class="{{ resources.kind }}">
<main>
<h1>{{ resources.metadata.name | escape_html }}</h1>
{%- endblock header -%}
{%- block any_cell -%}
<section style="--lines: {{ cell.metadata.lines }}; --columns: {{
 cell.metadata.columns }}">
<h2>{{ cell.metadata.heading | escape_html }}</h2>
{{ super() }}
<p>{{ cell.metadata.caption | escape_html }}</p>
</section>
{%- endblock any_cell -%}
{%- block input_group -%}{% if cell.source %}{{ super() }}{% endif %}{%- endblock -%}
{%- block footer -%}
</main>
<script>{{ resources.script }}</script>
</body>
</html>
{%- endblock footer -%}
"""
STYLE = """
* { box-sizing: border-box; margin: 0; }
body { background: white; color: black; font-family: system-ui, sans-serif; }
pre { font-family: ui-monospace, monospace; white-space: pre-wrap; }
img { display: block; width: 100%; }
p:empty { display: none; }
.slides h1 { display: none; }
.slides h2 { font-size: 4vmin; }
.slides section { height: 100vh; padding: 3vmin 5vmin; display: flex; gap: 3vmin;
  flex-direction: column; break-after: page; }
.slides section > p { font-size: 2.8vmin; }
.slides img { width: 90vw; height: 72vh; object-fit: contain; }
.slides .cell { margin: auto 0; }
.slides pre { font-size: min(5vmin, 135vw / var(--columns), 58vh / var(--lines));
  line-height: 1.3; }
.slides .output pre { border-left: 0.5vmin solid #6E6E6E; padding-left: 2vmin; }
.index main { padding: 5vmin; line-height: 1.6; }
.sheet main { max-width: 190mm; margin: auto; columns: 2; font-size: 9pt; }
.sheet h1 { font-size: 14pt; column-span: all; padding: 5mm 0; }
.sheet h2 { font-size: 10pt; }
.sheet section { break-inside: avoid; padding-bottom: 6mm; }
@page { margin: 10mm; }
"""
SCRIPT = """
addEventListener("keydown", (event) => {
  const forward = ["ArrowRight", "ArrowDown", "PageDown", " "].includes(event.key);
  if (!forward && !["ArrowLeft", "ArrowUp", "PageUp"].includes(event.key)) return;
  const all = [...document.querySelectorAll(".slides section")];
  const here = all.findIndex((s) => s.getBoundingClientRect().bottom > 1);
  all[here + (forward ? 1 : -1)]?.scrollIntoView();
  if (all.length) event.preventDefault();
});
"""
DRAWING = re.compile(r"!\[([^]]+)\]\([^)]+\)")


def shown(cell, heading, caption="", text="-"):
    """Return a cell with what the template shows around it, and the text's size."""
    rows = text.splitlines()
    cell.metadata = {"lines": len(rows), "columns": max(map(len, rows))}
    cell.metadata |= {"heading": heading, "caption": caption}
    return cell


def pick(notebook, key_cells=()):
    """Yield a notebook's drawings, figures and key cells, each under its heading."""
    heading = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for part in re.split(r"(?m)^(?=##? )", cell.source):
                heading = (re.findall(r"\A##? (.+)", part) or [heading])[0]
                for drawing in DRAWING.finditer(part):
                    picture = v4.new_markdown_cell(drawing[0])
                    yield shown(picture, heading, drawing[1])
            continue
        for output in cell.outputs:
            if alt := output.get("metadata", {}).get("image/png", {}).get("alt"):
                figure = v4.new_code_cell(outputs=[output])
                yield shown(figure, heading, alt)
        if cell.id in key_cells:
            printed = [output.get("text", "") for output in cell.outputs]
            yield shown(cell, heading, text="\n\n".join([cell.source, *printed]))


def page(cells, title, kind, folder):
    """Return the page of these cells, with all that it needs in it."""
    exporter = HTMLExporter(
        raw_template=TEMPLATE,
        embed_images=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    notebook, style = v4.new_notebook(), STYLE + HtmlFormatter().get_style_defs()
    notebook.cells = list(cells)
    metadata = {"name": title, "path": str(folder)}
    resources = {"metadata": metadata, "kind": kind, "style": style, "script": SCRIPT}
    return exporter.from_notebook_node(notebook, resources)[0]


def pages(folder):
    """Yield name and text of each page; raise SourceError for a lost key cell."""
    listed = [f"- [The cards of notebook 04]({GAME})"]
    for path in find(folder, []):
        notebook, key_cells = read(path), KEY_CELLS.get(path.stem, "").split()
        if lost := set(key_cells) - {cell.id for cell in notebook.cells}:
            raise SourceError(f"{path}: no key cell {', '.join(sorted(lost))}")
        title = notebook.cells[0].source.splitlines()[0].removeprefix("# ")
        slides, figures = f"{path.stem}.html", f"{path.stem}-figures.html"
        yield slides, page(pick(notebook, key_cells), title, "slides", folder)
        yield figures, page(pick(notebook), title, "sheet", folder)
        listed.append(f"- [{title}]({slides}), and [its figures on paper]({figures})")
    cell = shown(v4.new_markdown_cell("\n".join(listed)), "Right arrow: next slide.")
    yield "index.html", page([cell], "Slides and figures", "index", folder)


def write(folder):
    """Write all pages into build/slides, and copy the cards there."""
    target = folder.resolve().parent / "build" / "slides"
    shutil.rmtree(target, ignore_errors=True)  # a page that is gone would stay
    target.mkdir(parents=True)
    for name, text in pages(folder):
        (target / name).write_text(text, encoding="utf-8")
    shutil.copy(folder / "teacher" / GAME, target)
    print("build/slides/index.html")


if __name__ == "__main__":
    sys.exit(command.run(__doc__, write))
