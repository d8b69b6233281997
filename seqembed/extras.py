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


def import_with_tensorflow(module: str) -> ModuleType:
    """Import one of our modules that needs TensorFlow, or Keras, which TensorFlow installs.

    An installation without dependencies may lack them: only long fits and Keras models need them.

    Parameters
    ----------
    module : str
        Full name of the module.

    Raises
    ------
    ImportError
        If TensorFlow is not installed. The message has the command that installs it.

    Examples
    --------
    >>> import_with_tensorflow("seqembed.network.forward").__name__
    'seqembed.network.forward'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ImportError(f"This needs {error.name}, which is not installed: pip install tensorflow.") from error
