"""Imports run one way: the wings of the package and what each of them may not import."""

import ast
from pathlib import Path

import pytest

import seqembed

PACKAGE = Path(seqembed.__file__).parent
FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))

# What files of a wing, or a single file, must never import, at module level or inside a function.
NEVER = {
    "parallel.py": ["seqembed"],
    "extras.py": ["seqembed"],
    "sequences/": ["seqembed.network", "seqembed.training", "seqembed.export", "seqembed.estimators", "seqembed.codec"],
    "network/": ["seqembed.sequences", "seqembed.training", "seqembed.export", "seqembed.estimators", "seqembed.codec"],
    "training/": ["seqembed.estimators", "seqembed.export", "seqembed.codec"],
    "export/": ["seqembed.estimators", "seqembed.training", "seqembed.codec"],
    "codec/": ["seqembed.estimators", "seqembed.training", "seqembed.network"],
    "estimators/": ["seqembed.codec"],
    "estimators/detector.py": ["seqembed.estimators.base"],
    "datasets/": ["seqembed.network", "seqembed.training", "seqembed.export", "seqembed.estimators", "seqembed.codec"],
}
HEAVY = ("tensorflow", "keras")
MAY_IMPORT_HEAVY = (
    "training/gradient/tensorflow_gradient.py",
    "training/gradient/lstm_kernel.py",
    "export/keras_model.py",
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
    "zarr",
)


def imports(tree, *, module_level):
    """Full names of what a file imports; ``from a import b`` counts as a and as a.b."""
    functions = [
        node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
    ]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        if module_level and id(node) in inside:
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
    never = [package for place, packages in NEVER.items() if file.startswith(place) for package in packages]
    wrong = {name for name in everywhere if is_part(name, never) or is_part(name, EXTRAS)}
    if file not in MAY_IMPORT_HEAVY:
        wrong |= {name for name in at_module_level if is_part(name, HEAVY)}
        heavy_files = [f"seqembed.{path.removesuffix('.py').replace('/', '.')}" for path in MAY_IMPORT_HEAVY]
        wrong |= {name for name in at_module_level if is_part(name, heavy_files)}
    return wrong


@pytest.mark.parametrize("file", FILES)
def test_no_file_imports_what_its_wing_may_not(file):
    assert not forbidden_imports(file, (PACKAGE / file).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("parallel.py", "from seqembed.extras import import_extra"),
        ("sequences/windows.py", "from seqembed.network import forward"),
        ("network/forward.py", "from seqembed.sequences.scaling import Batch"),
        ("training/loop.py", "def f():\n    from seqembed.export.keras_model import build_keras_model"),
        ("export/keras_model.py", "from seqembed.training.recipe import Recipe"),
        ("estimators/detector.py", "from seqembed.estimators import base"),
        ("estimators/base.py", "import tensorflow as tf"),
        ("training/loop.py", "import keras"),
        ("training/gradient/batch_gradient.py", "from seqembed.training.gradient import tensorflow_gradient"),
        ("network/layer_figure.py", "def f():\n    from matplotlib.patches import FancyBboxPatch"),
    ],
)
def test_a_forbidden_import_is_found(file, line):
    assert file in FILES
    assert not forbidden_imports(
        file, "import numpy as np\nfrom seqembed.datasets import load_ecg" if "/" in file else ""
    )
    assert forbidden_imports(file, line)
