"""The figure that explains a network layer by layer."""

from __future__ import annotations

from typing import Any

from seqembed.extras import import_extra
from seqembed.network.architecture import Network
from seqembed.network.layer_steps import LayerStep, layer_steps

# A matplotlib.axes.Axes. matplotlib is optional, so its types are not imported.
Axes = Any

_MOST_CELLS = 4
_COLORS = {
    "patch": "tab:brown",
    "context": "tab:pink",
    "encoder": "tab:blue",
    "shortcut": "tab:red",
    "bridge": "tab:orange",
    "time": "tab:purple",
    "decoder": "tab:green",
    "hidden": "tab:blue",
    "output": "0.35",
}
_SEQUENCE_COLOR = "0.2"


def draw_layer_flow(network: Network, n_timesteps: int, axes: Axes | None = None) -> Axes:
    """Draw a network from the bottom, where the sequence enters, to the top.

    Each layer is a row, with a cell for each step. A filled cell passes its state upwards. A hollow cell passes its
    state only to its right-hand neighbour. Of long sequences, only the first two steps and the last one are drawn.

    Parameters
    ----------
    network : Network
        Its architecture.
    n_timesteps : int
        Length of the sequence.
    axes : matplotlib.axes.Axes, default=None
        Where to draw. By default a new figure is made.

    Returns
    -------
    axes : matplotlib.axes.Axes
        The axes with the drawing.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from seqembed.network.architecture import Network
    >>> axes = draw_layer_flow(Network(n_features=2), n_timesteps=3)
    >>> axes.get_title()
    'How a sequence flows through the LSTM autoencoder'
    """
    steps = layer_steps(network, n_timesteps)
    if axes is None:
        height = 1.25 * (len(steps) + 2)
        _, axes = import_extra("matplotlib.pyplot", extra="plot").subplots(figsize=(11, height), layout="constrained")
    shown = _shown_steps(network.count_steps(n_timesteps))
    n_columns = len(shown)
    _draw_sequence(axes, 0, shown, network, n_timesteps)
    axes.text(-0.9, 0, f"input\n{(n_timesteps, network.n_features)}", ha="right", va="center")
    axes.text(
        n_columns - 0.3,
        0,
        f"the sequence, of shape {(n_timesteps, network.n_features)}:\n(timesteps, features)",
        va="center",
    )
    for row, step in enumerate(steps, start=1):
        color = _COLORS[step.role]
        axes.text(-0.9, row, f"{step.name}\n{step.kind}", ha="right", va="center", color=color, fontweight="bold")
        axes.text(n_columns - 0.3, row, _explanation(step, network), va="center", fontsize="small")
        if step.name == "shortcut_in":
            _draw_box(axes, ((n_columns - 1) / 2, row), "one vector", color, filled=True, size=(0.8, 0.4))
        elif step.role == "bridge":
            _draw_repetition(axes, row, shown, color)
        else:
            _draw_arrows_up(axes, row, n_columns)
            _draw_cells(axes, row, shown, step, color)
        if len(step.output_shape) == 1:
            middle = (n_columns - 1) / 2
            start = middle if len(step.input_shape) == 1 else n_columns - 1
            _draw_arrow(axes, (start, row + 0.28), (middle, row + 0.72), "tab:orange")
    top = len(steps) + 1
    _draw_arrows_up(axes, top, n_columns)
    _draw_sequence(axes, top, shown, network, n_timesteps)
    axes.text(-0.9, top, f"reconstruction\n{steps[-1].output_shape}", ha="right", va="center")
    axes.text(n_columns - 0.3, top, "the reconstruction\nof the sequence", va="center")
    kind = "LSTM autoencoder" if network.bottleneck else "regular LSTM network"
    axes.set(xlim=(-3.6, n_columns + 4.2), ylim=(-0.6, top + 0.6), title=f"How a sequence flows through the {kind}")
    axes.set_axis_off()
    return axes


def _shown_steps(n_steps: int) -> list[int | None]:
    """Return the numbers of the steps to draw. None stands for the steps that are left out."""
    if n_steps <= _MOST_CELLS:
        return list(range(1, n_steps + 1))
    return [1, 2, None, n_steps]


def _explanation(step: LayerStep, network: Network) -> str:
    moment = "timestep" if network.patch_size == 1 else "step"
    patch = f"{network.patch_size} x {network.n_features} values"
    shapes = f"{step.input_shape} → {step.output_shape}, {step.n_parameters:,} parameters"
    if step.name == "patches":
        return f"a cell reads {network.patch_size} timesteps at once:\na patch of {patch}\n{shapes}"
    if step.name == "timesteps":
        return f"each patch of {patch}\nis {network.patch_size} timesteps again\n{shapes}"
    if step.role == "context":
        return (
            f"{network.context_size} more numbers, the same at every {moment}: a summary\nof the whole sequence, "
            f"computed and not learned\n{shapes}"
        )
    if step.name == "shortcut_in":
        return (
            f"up to {network.shortcut_size} principal components of the sequence\njoin its first numbers:\n"
            f"the embedding, transform()\n{shapes}"
        )
    if step.name == "shortcut_out":
        return f"what these numbers of the embedding\nstand for is added\n{shapes}"
    if step.role == "bridge":
        return f"the vector is repeated, once for each {moment},\nso that the decoder can unroll it\n{shapes}"
    if step.role == "time":
        n_time_features = step.output_shape[1] - step.input_shape[1]
        return f"{n_time_features} more numbers give the decoder\nthe position of the {moment}\n{shapes}"
    if step.role == "output":
        return (
            f"one and the same dense layer at every {moment}\nturns {step.input_shape[1]} numbers into "
            f"{step.output_shape[1]}\n{shapes}"
        )
    if step.return_sequences:
        return f"return_sequences=True: every {moment}\nemits its state of {step.output_shape[1]} numbers\n{shapes}"
    whole = f"The whole sequence is now ONE vector of {step.output_shape[0]}"
    name = "" if network.shortcut_size else ":\nthe embedding, transform()"
    return f"return_sequences=False: only the last {moment} emits.\n{whole}{name}\n{shapes}"


def _draw_sequence(axes: Axes, row: int, shown: list[int | None], network: Network, n_timesteps: int) -> None:
    """Draw a box for each step, with the timesteps and the values in it."""
    for column, step in enumerate(shown):
        if step is None:
            axes.text(column, row, "…", ha="center", va="center", fontsize="x-large")
            continue
        first, last = (step - 1) * network.patch_size + 1, min(step * network.patch_size, n_timesteps)
        timesteps = f"t = {first}" if first == last else f"t = {first}\nto {last}"
        content = "1 value" if network.n_features == 1 else f"{network.n_features} values"
        _draw_box(axes, (column, row), f"{timesteps}\n{content}", _SEQUENCE_COLOR, filled=False, size=(0.7, 0.6))


def _draw_cells(axes: Axes, row: int, shown: list[int | None], step: LayerStep, color: str) -> None:
    recurrent = step.role in ("encoder", "decoder", "hidden")
    for column, number in enumerate(shown):
        if number is None:
            axes.text(column, row, "…", ha="center", va="center", fontsize="x-large", color=color)
        else:
            emits = len(step.output_shape) == 2 or column == len(shown) - 1
            text = f"{step.output_shape[-1]}" if emits else "kept"
            if step.name == "timesteps":
                text = f"{step.input_shape[-1] // step.output_shape[-1]} x {text}"
            _draw_box(axes, (column, row), text, color, filled=emits)
        if recurrent and column + 1 < len(shown):
            _draw_arrow(axes, (column + 0.33, row), (column + 0.67, row), color)


def _draw_repetition(axes: Axes, row: int, shown: list[int | None], color: str) -> None:
    middle = (len(shown) - 1) / 2
    _draw_box(axes, (middle, row - 0.1), "one vector", color, filled=True, size=(0.8, 0.3))
    for column in range(len(shown)):
        _draw_arrow(axes, (middle + 0.15 * (column - middle), row + 0.06), (column, row + 0.32), color)


def _draw_box(
    axes: Axes,
    center: tuple[float, float],
    text: str,
    color: str,
    *,
    filled: bool,
    size: tuple[float, float] = (0.6, 0.5),
) -> None:
    """Draw a box with text: in white on the color if filled, else in the color on white."""
    patches = import_extra("matplotlib.patches", extra="plot")
    (x, y), (width, height) = center, size
    corner = (x - width / 2 + 0.05, y - height / 2 + 0.05)
    face, ink = (color, "white") if filled else ("white", color)
    axes.add_patch(
        patches.FancyBboxPatch(
            corner, width - 0.1, height - 0.1, boxstyle="round,pad=0.05", facecolor=face, edgecolor=color
        )
    )
    axes.text(x, y, text, ha="center", va="center", color=ink, fontsize="small")


def _draw_arrows_up(axes: Axes, row: int, n_columns: int) -> None:
    for column in range(n_columns):
        _draw_arrow(axes, (column, row - 0.7), (column, row - 0.3), "0.4")


def _draw_arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], color: str) -> None:
    axes.annotate("", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": color})
