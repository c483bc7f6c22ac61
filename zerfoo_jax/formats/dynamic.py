"""The inputs of a network with the sizes that may vary as symbols, for what traces it once for every batch size."""

from collections.abc import Sequence

from jax import export

from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph import Graph
from zerfoo_jax.graph.editing.network import Network

BATCH = "batch"
"""What the first size of an input is called where it varies."""


def input_names(network: Network) -> tuple[str, ...]:
    """The names of the inputs: a graph's own, else `inputs`, or `inputs_0`, `inputs_1`, ... of several."""
    if isinstance(network.model, Graph):
        return network.model.input_names
    count = len(network.specs)
    return ("inputs",) if count == 1 else tuple(f"inputs_{i}" for i in range(count))


def dynamic_specs(network: Network, batch: int | None = None) -> tuple[Spec, ...]:
    """Shapes and dtypes of the inputs; sizes that vary are `batch`, or symbols where that is None.

    The first size of every input varies, all together. What a graph's inputs declare goes before: a size of None
    varies by itself unless it is the first, a given size does not vary.

    >>> import jax
    >>> from zerfoo_jax.layers import Dense
    >>> network = Network.new(Dense(3), jax.random.key(0), jax.ShapeDtypeStruct((1, 4), "float32"))
    >>> dynamic_specs(network)[0].shape
    (batch, 4)
    """
    sizes = [_sizes(index, shape) for index, shape in enumerate(_shapes(network))]
    names = dict.fromkeys(size for shape in sizes for size in shape if isinstance(size, str))
    symbols = dict(zip(names, export.symbolic_shape(",".join(names)), strict=True)) if names else {}
    values = {name: symbols[name] if batch is None else (batch if name == BATCH else 1) for name in names}
    return tuple(
        Spec(tuple(values[size] if isinstance(size, str) else size for size in shape), spec.dtype)
        for shape, spec in zip(sizes, network.specs, strict=True)
    )


def _shapes(network: Network) -> Sequence[Sequence[int | None]]:
    """The declared shapes, None where a size varies."""
    declared = [one.shape for one in network.model.declared()] if isinstance(network.model, Graph) else []
    shapes = declared or [None] * len(network.specs)
    return [
        given if given is not None else (None, *spec.shape[1:])[: len(spec.shape)]
        for given, spec in zip(shapes, network.specs, strict=True)
    ]


def _sizes(index: int, shape: Sequence[int | None]) -> list[int | str]:
    """The sizes of one input, a name where one varies."""
    names = [BATCH if axis == 0 else f"size_{index}_{axis}" for axis in range(len(shape))]
    return [name if size is None else size for name, size in zip(names, shape, strict=True)]
