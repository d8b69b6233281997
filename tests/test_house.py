"""Imports run one way: the wings of the package, what each of them may import, and no circle between files."""

import ast
import graphlib
import re
from pathlib import Path

import pytest

import seqembed

PACKAGE = Path(seqembed.__file__).parent
FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))

# The wings and single files of the package, and what of the package each may import, at module level or inside a
# function. Each may import itself.
EVERYBODY = ("extras", "files", "fitted_attributes", "parallel", "sklearn_private", "user_warning", "version")
MAY_IMPORT = {
    "version": (),
    "extras": (),
    "fitted_attributes": (),
    "parallel": (),
    "sklearn_private": (),
    "user_warning": (),
    "files": ("user_warning",),
    "sequences": ("extras", "user_warning"),
    "datasets": ("extras", "sequences"),
    "network": ("extras", "parallel"),
    "summary": ("sequences",),
    "inference": ("parallel", "user_warning", "network", "summary", "sequences"),
    "training": ("extras", "files", "parallel", "inference", "network", "summary", "sequences"),
    "export": ("extras", "inference", "network", "summary", "sequences"),
    "estimators": (*EVERYBODY, "export", "training", "inference", "network", "summary", "sequences"),
    "codec": (*EVERYBODY, "inference", "sequences"),
    "inspection": ("parallel", "user_warning", "inference", "network", "summary", "sequences"),
    "plotting": ("extras", "inspection", "estimators", "inference", "network", "sequences"),
    "__init__": ("version", "estimators", "files", "sequences", "codec", "datasets", "inspection", "plotting"),
}
# Files that a wing keeps apart.
NEVER = {
    "training/gradient/": ["seqembed.training.loop", "seqembed.training.batches"],
    "estimators/detector.py": ["seqembed.estimators.base"],
    "codec/bytes/": ["seqembed.codec.model", "seqembed.codec.methods", "seqembed.inference"],
    "codec/model/": ["seqembed.codec.methods"],
}
HEAVY = ("tensorflow", "keras")
MAY_IMPORT_HEAVY = (
    "training/gradient/tensorflow_gradient.py",
    "training/gradient/lstm_kernel.py",
    "export/keras_model.py",
    "export/keras_summary.py",
)
# What comes with an extra: `seqembed.extras.import_extra` imports it, and names the extra when it is missing.
EXTRAS = (
    "constriction",
    "dask",
    "h5py",
    "matplotlib",
    "mpi4py",
    "narwhals",
    "onnx",
    "onnxruntime",
    "pandas",
    "pcodec",
    "polars",
    "pyspark",
    "torch",
    "umap",
    "zarr",
)
PRIVATE = re.compile(r"sklearn\b.*\._")


def module_name(file):
    """Dotted name of a file: of a package, that of its ``__init__.py``."""
    return ".".join(("seqembed", *Path(file).with_suffix("").parts)).removesuffix(".__init__")


def wing(name):
    """The wing or single file that a dotted name belongs to."""
    return name.split(".")[1] if name.startswith("seqembed.") else "__init__"


def for_types_alone(tree):
    """Nodes under ``if TYPE_CHECKING``, which never run."""
    return {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for node in ast.walk(block)
    }


def imports(tree, *, module_level):
    """Full names of what a file imports; ``from a import b`` counts as a and as a.b."""
    functions = [
        node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
    ]
    inside = {id(node) for function in functions for node in ast.walk(function)} if module_level else set()
    left_out = inside | for_types_alone(tree)
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import hides the wing that it comes from"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_part(name, of):
    return any(name == package or name.startswith(f"{package}.") for package in of)


def forbidden_imports(file, code):
    tree = ast.parse(code)
    everywhere, at_module_level = (set(imports(tree, module_level=level)) for level in (False, True))
    own = wing(module_name(file))
    ours = {name for name in everywhere if is_part(name, ["seqembed"]) and name != "seqembed"}
    wrong = {name for name in ours if wing(name) not in (own, *MAY_IMPORT[own])}
    if "seqembed" in everywhere and file != "__init__.py":
        # The package itself imports all wings.
        wrong |= {name for name in everywhere if name == "seqembed"}
    wrong |= {name for name in everywhere if is_part(name, EXTRAS)}
    wrong |= {name for name in everywhere if PRIVATE.match(name) and own != "sklearn_private"}
    wrong |= {name for place, never in NEVER.items() if file.startswith(place) for name in ours if is_part(name, never)}
    if file not in MAY_IMPORT_HEAVY:
        wrong |= {name for name in at_module_level if is_part(name, HEAVY)}
        wrong |= {name for name in at_module_level if is_part(name, map(module_name, MAY_IMPORT_HEAVY))}
    return wrong


def strings_that_name_modules(code):
    """Text that is the dotted name of one of our modules, docstrings left out: an import of it would be hidden."""
    tree = ast.parse(code)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    modules = set(map(module_name, FILES)) - {"seqembed"}
    texts = (
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    )
    return {text for text in texts if text in modules}


def graph_of_imports(code_of_files):
    """The files that each file imports, inside functions too."""
    files = {module_name(file): file for file in code_of_files}
    return {
        file: {files[name] for name in imports(ast.parse(code), module_level=False) if name in files} - {file}
        for file, code in code_of_files.items()
    }


def circle(code_of_files):
    """The files of a circle of imports, or nothing."""
    graph = graph_of_imports(code_of_files)
    # A package is imported whenever one of its files is, and so is no evidence of a circle, unless a file of its own
    # imports from it.
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


@pytest.fixture(scope="session")
def code():
    return {file: (PACKAGE / file).read_text(encoding="utf-8") for file in FILES}


@pytest.mark.parametrize("file", FILES)
def test_no_file_imports_what_its_wing_may_not(file, code):
    assert not forbidden_imports(file, code[file])


@pytest.mark.parametrize("file", FILES)
def test_no_file_names_one_of_our_modules_in_a_string(file, code):
    assert not strings_that_name_modules(code[file])


def test_no_circle_of_imports_also_inside_functions(code):
    assert not circle(code)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("parallel.py", "from seqembed.extras import import_extra"),
        ("files/atomic.py", "from seqembed.sequences.collection import Sequences"),
        ("files/values.py", "def f():\n    from seqembed.network.architecture import Network"),
        ("sequences/windows.py", "from seqembed.network import forward"),
        ("sequences/columns.py", "from seqembed.estimators.base import LSTMNetworkEstimator"),
        ("network/forward.py", "from seqembed.sequences.scaling import Batch"),
        ("summary/shares.py", "from seqembed.network.architecture import Network"),
        ("inference/compute.py", "from seqembed.training.loop import train"),
        ("inference/model.py", "from seqembed.estimators import saving"),
        ("training/loop.py", "def f():\n    from seqembed.export.keras_model import build_keras_model"),
        ("training/loop.py", "from seqembed.export.keras_model import build_keras_model"),
        ("export/keras_model.py", "from seqembed.training.recipe import Recipe"),
        ("estimators/detector.py", "from seqembed.estimators import base"),
        ("estimators/base.py", "from seqembed.codec.sequence_codec import SequenceCodec"),
        ("estimators/base.py", "import tensorflow as tf"),
        ("estimators/base.py", "from sklearn.utils._param_validation import Interval"),
        ("estimators/checkpoints.py", "def f():\n    from seqembed import __version__"),
        ("codec/sequence_codec.py", "from seqembed.estimators.autoencoder import LSTMAutoencoder"),
        ("codec/bytes/container.py", "from seqembed.codec.model.lattice import Lattice"),
        ("codec/model/lattice.py", "from seqembed.codec.methods.table import METHODS"),
        ("training/loop.py", "import keras"),
        ("training/gradient/batch_gradient.py", "from seqembed.training.gradient import tensorflow_gradient"),
        ("network/layer_figure.py", "def f():\n    from matplotlib.patches import FancyBboxPatch"),
    ],
)
def test_a_forbidden_import_is_found(file, line):
    assert file in FILES
    assert not forbidden_imports(file, "import numpy as np\nfrom __future__ import annotations")
    assert forbidden_imports(file, line)


def test_an_import_by_a_string_is_found():
    line = 'import_module("seqembed.export.keras_model")'
    assert strings_that_name_modules(line) == {"seqembed.export.keras_model"}
    assert not strings_that_name_modules('"""seqembed.export.keras_model"""\nx = "keras_model"')


def test_a_circle_through_an_import_inside_a_function_is_found():
    first = "from seqembed.files.values import decoded"
    second = "def f():\n    from seqembed.files.atomic import write"
    assert set(circle({"files/atomic.py": first, "files/values.py": second})) == {"files/atomic.py", "files/values.py"}
    assert not circle({"files/atomic.py": "", "files/values.py": second})
