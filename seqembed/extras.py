"""Optional dependencies, imported where they are needed."""

from __future__ import annotations

import importlib
from types import ModuleType


def import_extra(module: str, extra: str) -> ModuleType:
    """Import a module, or say which extra of seqembed brings it.

    Parameters
    ----------
    module : str
        Its full name.
    extra : str
        What to write in brackets behind ``seqembed``.

    Raises
    ------
    ImportError
        When it is not installed.

    Examples
    --------
    >>> import_extra("matplotlib.pyplot", extra="plot").__name__
    'matplotlib.pyplot'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f'This needs {module.partition(".")[0]}: pip install "seqembed[{extra}]".') from error
