"""From a genome to its graph."""

from typing import Any, Literal

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import NonNegativeInt, PositiveInt
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.graph_of import graph_of
from zerfoo_jax.layers import (
    LSTM,
    Activation,
    Dense,
    FeedForward,
    GlobalAvgPool,
    LayerNorm,
    MultiHeadAttention,
    Parallel,
    Reshape,
    RotaryPositions,
    Sequential,
    SimpleRNN,
)
from zerfoo_jax.models.generated.genome import Genome, GenomeSpec
from zerfoo_jax.models.generated.sample import sample
from zerfoo_jax.models.generated.space import Space

InputKind = Literal["rows", "sequences"]


@checked
def generated(
    *, features: PositiveInt, inputs: InputKind = "rows", seed: NonNegativeInt = 0, genome: GenomeSpec | None = None
) -> Graph:
    """The architecture that a seed stands for in LOOM's space, or that of a `Genome`; see `to_model`.

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> check(generated(features=3, seed=5), Spec((1, 8, 8, 1), "float32")).shape
    (1, 3)
    """
    return to_model(genome or sample(Space(), seed), features=features, inputs=inputs)


def to_model(genome: Genome, *, features: int, inputs: InputKind = "rows") -> Graph:
    """The graph of a genome: a stem, the cells of the grid side by side, a merger of what they find, and `features` outputs.

    `inputs` are rows (batch, ...), of any shape, whose numbers are one step of a sequence each, or sequences
    (batch, time, channels). Every cell keeps the `width` of its input; the mean over time goes to the outputs (batch,
    features).

    >>> model = to_model(Genome("1x2", ("dense", "lstm"), "add", "tanh", 32, 4, 1e-3, 1.0), features=3)
    >>> [node.name for node in model.nodes]
    ['one_step', 'stem', 'stem_activation', 'grid', 'merger', 'merger_activation', 'pool', 'head']
    """
    act, start = Activation(genome.activation), _start(genome)
    nodes: dict[str, Layer] = {
        "stem": Dense(genome.width, kernel_init=start),
        "stem_activation": act,
        "grid": Parallel(tuple(_cell(genome, kind) for kind in genome.cells), _combination(genome)),
        "merger": Dense(genome.width, kernel_init=start),
        "merger_activation": act,
        "pool": GlobalAvgPool(),
        "head": Dense(features, kernel_init=start),
    }
    return graph_of(nodes if inputs == "sequences" else {"one_step": Reshape((1, -1)), **nodes})


def _start(genome: Genome) -> dict[str, Any]:
    return {"name": "variance_scaling", "scale": genome.init_scale**2}


def _cell(genome: Genome, kind: str) -> Layer:
    width, start, act = genome.width, _start(genome), Activation(genome.activation)
    if kind == "attention":
        return MultiHeadAttention(genome.num_heads, kernel_init=start, rotary=RotaryPositions())
    if kind == "lstm":
        return LSTM(width, kernel_init=start)
    if kind == "rnn":
        return SimpleRNN(width, kernel_init=start)
    if kind == "swiglu":
        return FeedForward(2 * width, "silu", gated=True, kernel_init=start)
    dense = (Dense(width, kernel_init=start), act)
    return Sequential(dense if kind == "dense" else (LayerNorm(), *dense))


def _combination(genome: Genome) -> str | dict[str, Any]:
    if genome.combine != "grid_scatter":
        return genome.combine
    places = [(row, column, 0) for row in range(genome.rows) for column in range(genome.columns)]
    return {"name": "grid_scatter", "rows": genome.rows, "columns": genome.columns, "positions": places}
