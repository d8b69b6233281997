"""Imports of optional dependencies."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


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
        raise ImportError(
            f'This feature needs {module.partition(".")[0]}: pip install "{_distribution()}[{extra}]".'
        ) from error


def _distribution() -> str:
    """Name the distribution that is installed: the other one would bring TensorFlow, and the same files again."""
    try:
        importlib.metadata.version("seqembed-core")
    except importlib.metadata.PackageNotFoundError:
        return "seqembed"
    return "seqembed-core"


def import_whole(module: str) -> ModuleType:
    """Import a module to its end, also if Ctrl-C is pressed meanwhile: `KeyboardInterrupt` comes after it.

    TensorFlow, which Keras imports, can't be imported again in a process in which its import was interrupted. So the
    handler of Ctrl-C that is set waits for the end of the import.

    Parameters
    ----------
    module : str
        Full name of the module.

    Examples
    --------
    >>> import_whole("calendar").__name__
    'calendar'
    """
    handler = signal.getsignal(signal.SIGINT)
    # Python interrupts the main thread alone, and no other may choose a handler.
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        return importlib.import_module(module)
    interruptions: list[Any] = []
    signal.signal(signal.SIGINT, lambda *received: interruptions.append(received))
    try:
        return importlib.import_module(module)
    finally:
        signal.signal(signal.SIGINT, handler)
        if interruptions:
            handler(*interruptions[-1])


@contextmanager
def tensorflow_needed() -> Iterator[None]:
    """Import Keras, with TensorFlow, for our modules that need it, or name the command that installs it.

    An installation without dependencies may lack TensorFlow: only long fits and Keras models need it. Another backend
    of Keras may be chosen that is not installed, or that does not exist.

    Raises
    ------
    ImportError
        If a module is not installed, or if Keras can't import its backend. The message has the remedy.

    Examples
    --------
    >>> with tensorflow_needed():
    ...     import tensorflowless  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ImportError: This needs tensorflowless, which is not installed: pip install tensorflow.
    """
    try:
        import_whole("keras")
        yield
    except (ModuleNotFoundError, ValueError) as error:
        missing = getattr(error, "name", None)
        backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
        if backend != "tensorflow" and missing not in ("keras", "tensorflow"):
            raise ImportError(
                f"Got KERAS_BACKEND={backend!r} in the environment, expected 'tensorflow': {error}. Set it to "
                f"tensorflow, or unset it, before Python starts."
            ) from error
        if missing is None:
            raise
        raise ImportError(f"This needs {missing}, which is not installed: pip install tensorflow.") from error
