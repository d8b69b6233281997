"""Imports of optional dependencies."""

from __future__ import annotations

import importlib
from types import ModuleType


def import_extra(module: str, extra: str) -> ModuleType:
    """Import a module of an optional dependency.

    Parameters
    ----------
    module : str
        Full name of the module.
    extra : str
        Extra of seqembed that installs the module, as in ``seqembed[extra]``.

    Raises
    ------
    ImportError
        If the module is not installed. The message names the extra to install.

    Examples
    --------
    >>> import_extra("matplotlib.pyplot", extra="plot").__name__
    'matplotlib.pyplot'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f'This feature needs {module.partition(".")[0]}: pip install "seqembed[{extra}]".') from error
