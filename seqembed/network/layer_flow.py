"""How a sequence flows through a network, as a table."""

from __future__ import annotations

from dataclasses import dataclass

from seqembed.network.architecture import Network
from seqembed.network.layer_figure import Axes, draw_layer_flow
from seqembed.network.layer_steps import LayerStep, layer_steps

_FLOW_TITLES = ("layer", "type", "role", "input", "output", "return_sequences", "parameters")


@dataclass(frozen=True)
class LayerFlow:
    """How a sequence flows through a network, layer by layer: the tables and the figure of the post.

    The post is imprecise in one place: ``TimeDistributed(Dense(k))`` applies the same dense layer to every timestep. It
    does not make a vector as long as the output of the layer before, and it does not repeat anything k times.

    Parameters
    ----------
    network : Network
        Its architecture.
    n_timesteps : int
        Length of the sequence.

    References
    ----------
    C. Ranjan, "Step-by-step understanding LSTM Autoencoder layers" (2019).

    Examples
    --------
    >>> from seqembed.network.architecture import Network
    >>> flow = LayerFlow(Network(n_features=2), n_timesteps=3)
    >>> [step.output_shape for step in flow.steps]
    [(3, 128), (64,), (3, 64), (3, 64), (3, 128), (3, 2)]
    >>> flow.n_parameters
    248578
    """

    network: Network
    n_timesteps: int

    @property
    def steps(self) -> tuple[LayerStep, ...]:
        """One `seqembed.network.layer_steps.LayerStep` for each layer."""
        return layer_steps(self.network, self.n_timesteps)

    @property
    def n_parameters(self) -> int:
        """Number of trainable values of the whole network."""
        return self.network.n_parameters

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the flow: a cell for each timestep, which cells return their state, and the embedding as one vector.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, default=None
            Where to draw. By default a new figure is made.

        Returns
        -------
        axes : matplotlib.axes.Axes
            The axes with the drawing.

        Raises
        ------
        ImportError
            Without matplotlib, which ``pip install "seqembed[plot]"`` brings.
        """
        return draw_layer_flow(self.network, self.n_timesteps, axes)

    def __str__(self) -> str:
        columns = list(zip(_FLOW_TITLES, *self._rows(), strict=True))
        widths = [max(map(len, column)) for column in columns]
        lines = []
        for row in zip(*columns, strict=True):
            cells = [text.ljust(width) for text, width in zip(row[:-1], widths, strict=False)]
            lines.append("  ".join([*cells, row[-1].rjust(widths[-1])]))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{title}</th>" for title in _FLOW_TITLES)
        body = "".join("<tr>" + "".join(f"<td>{text}</td>" for text in row) + "</tr>" for row in self._rows())
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _rows(self) -> list[tuple[str, ...]]:
        rows = [
            (
                step.name,
                step.kind,
                step.role,
                str(step.input_shape),
                str(step.output_shape),
                "" if step.return_sequences is None else str(step.return_sequences),
                f"{step.n_parameters:,}",
            )
            for step in self.steps
        ]
        return [*rows, ("total", "", "", "", "", "", f"{self.n_parameters:,}")]
