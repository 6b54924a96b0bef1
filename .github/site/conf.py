"""The site: the README and the topics of `sdindex help`, as they are.

sphinx-build -W -c .github/site . build/site
"""

from importlib import metadata

from sphinx.application import Sphinx

project = "sdindex"
release = metadata.version("sdindex")
copyright = "the sdindex authors"  # noqa: A001  (Sphinx asks for this name)

root_doc = "README"
include_patterns = ["README.md", "sdindex/help/*.md", ".github/CONTRIBUTING.md"]
extensions = ["myst_parser"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"sdindex {release}"

TOPICS = (
    "changes", "sampling", "growing", "quality", "alike", "formats", "sql", "python", "moving",
    "cloud", "team", "cluster", "performance", "promises", "reference", "design", "news",
    "review", "smartdownsample",
)  # fmt: skip
CONTENTS = "\n".join(
    ["```{toctree}", ":hidden:", *(f"/sdindex/help/{topic}" for topic in TOPICS),
     "/.github/CONTRIBUTING", "```"]
)  # fmt: skip


def with_contents(_: Sphinx, document: str, text: list[str]) -> None:
    """Give the first page the list of the others, which it needs on the site alone."""
    if document == root_doc:
        text[0] += f"\n{CONTENTS}\n"


def setup(app: Sphinx) -> None:
    """Register what Sphinx calls."""
    app.connect("source-read", with_contents)
