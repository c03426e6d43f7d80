"""Settings of Sphinx for the site: the students' notebooks as static pages."""

import json
import re

project = "The parameter-server notebooks"
html_title = project
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc"]
# The page of the public parts reads the package, without what the package needs.
autodoc_mock_imports = "ray numpy scipy tqdm psutil matplotlib IPython PIL".split()
autodoc_member_order = "bysource"
myst_heading_anchors = 2  # the glossary's terms are headings
nb_execution_mode = "off"  # the pages show the stored outputs

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["scroll.js"]
html_theme_options = {"top_of_page_buttons": []}
html_use_index = False
html_copy_source = False
html_show_copyright = False
pygments_style = "a11y-light"
pygments_dark_style = "a11y-dark"
smartquotes = False  # a caption reads as it does in the notebook


def caption_of(cell):
    """Return the alternative text of the picture that a cell shows, if any."""
    for output in cell.get("outputs", []):
        alt = output.get("metadata", {}).get("image/png", {}).get("alt")
        if alt:
            return alt


def without_caption(outputs, caption):
    """Drop the printed caption from a cell's outputs, and what is empty without it.

    It is printed in several lines if it is long.
    """
    printed = r"\s+".join(map(re.escape, caption.split())) + r"\n"
    for output in outputs:
        if output["output_type"] == "stream":
            text = re.sub(printed, "", "".join(output["text"]), count=1)
            if not text:
                continue
            output = {**output, "text": text}
        yield output


def make_figures(app, docname, source):
    """Turn pictures with a caption printed below them into figures.

    MyST-NB does not read the alternative text in an output's metadata, but takes it,
    and a caption, from the cell's.
    """
    if app.env.doc2path(docname).suffix != ".ipynb":
        return
    notebook = json.loads(source[0])
    for cell in notebook["cells"]:
        if caption := caption_of(cell):
            as_markdown = re.sub(r"([!-/:-@[-`{-~])", r"\\\1", caption)
            cell["metadata"]["mystnb"] = {
                "image": {"alt": caption},
                "figure": {"caption": as_markdown},
            }
            cell["outputs"] = list(without_caption(cell["outputs"], caption))
    source[0] = json.dumps(notebook)


def link_images(app, doctree):
    """Give each image its size, upon which Sphinx links it to its file.

    On a phone a drawing is half as wide as it was drawn; a tap shows it alone.
    """
    for image in doctree.findall(lambda node: node.tagname == "image"):
        image["scale"] = 100


def setup(app):
    app.connect("source-read", make_figures)
    app.connect("doctree-read", link_images)
