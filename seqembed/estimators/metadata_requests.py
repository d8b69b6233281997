"""What `set_fit_request` and its like have asked scikit-learn to pass on, as plain values."""

from __future__ import annotations

from typing import Any, TypeAlias

from sklearn import config_context

from seqembed.sklearn_private import metadata_requests

# For each method, by the names of its arguments: whether they are passed on, or under which name.
Requests: TypeAlias = dict[str, dict[str, bool | str]]


def described_requests(estimator: Any) -> Requests:
    """Return the requests of an estimator.

    Parameters
    ----------
    estimator : estimator
        Any of scikit-learn's kind.

    Returns
    -------
    requests : dict of str to dict
        By method and argument. Arguments of which nothing was said are left out.

    Examples
    --------
    >>> from seqembed import LSTMAutoencoder
    >>> with config_context(enable_metadata_routing=True):
    ...     described_requests(LSTMAutoencoder().set_fit_request(lengths=True))
    {'fit': {'lengths': True}}
    """
    requests = {
        method: {name: each for name, each in arguments.items() if each is not None}
        for method, arguments in metadata_requests(estimator).items()
    }
    return {method: arguments for method, arguments in requests.items() if arguments}


def set_requests(estimator: Any, requests: Requests) -> None:
    """Let an estimator make requests again.

    Parameters
    ----------
    estimator : estimator
        A new one of the same class.
    requests : dict of str to dict
        See `described_requests`.

    Raises
    ------
    AttributeError, TypeError, ValueError
        For methods, arguments and requests that there are not.

    Examples
    --------
    >>> from seqembed import LSTMAutoencoder
    >>> autoencoder = LSTMAutoencoder()
    >>> set_requests(autoencoder, {"fit": {"lengths": True}})
    >>> described_requests(autoencoder)
    {'fit': {'lengths': True}}
    """
    # The setters work only while metadata are routed, which need not be so where a file is read.
    with config_context(enable_metadata_routing=True):
        for method, arguments in requests.items():
            getattr(estimator, f"set_{method}_request")(**arguments)
