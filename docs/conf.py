"""How the manual is built: ``sphinx-build -W -n docs docs/_build/html``."""

import re
import sys
from pathlib import Path

import matplotlib

import seqembed

# Figures go into files.
matplotlib.use("Agg")
sys.path.insert(0, str(Path(__file__).parent))

project, author, copyright = "seqembed", "the seqembed developers", "the seqembed developers"
version = release = seqembed.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx-mathjax-offline",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery/**/*.ipynb", "gallery/**/*.py", "gallery/**/*.md5", "sg_execution_times.rst"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_title = "seqembed"
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "navigation_with_keys": False,
}
html_copy_source = False
templates_path = ["_templates"]

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
# Attributes of fitted estimators have no page of their own: the page of the class describes them.
nitpick_ignore_regex = [("py:obj", r"\w+_")]

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "ignore_pattern": r"benchmarks|http_service|mlflow_embedder",
    "filename_pattern": r"/plot_",
    "backreferences_dir": "gallery/backreferences",
    "doc_module": ("seqembed",),
    "reference_url": {"seqembed": None},
    "nested_sections": False,
    "within_subsection_order": "gallery_order.place",
    "show_memory": False,
    "download_all_examples": False,
}
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True


def leave_out_what_others_describe(app, what, name, member, skip, options):
    """Their docstrings refer to pages of scikit-learn's manual. Fields of named tuples are described by their class."""
    if str(getattr(member, "__doc__", "")).startswith("Alias for field number"):
        return True
    return skip or name == "set_output" or name == "get_metadata_routing" or bool(re.fullmatch("set_.*_request", name))


def setup(app):
    """Let Sphinx ask which methods to leave out."""
    app.connect("autodoc-skip-member", leave_out_what_others_describe)
