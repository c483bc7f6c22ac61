"""The layer that runs another one on codes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.layer import Built, Layer, Walk, run_part
from zerfoo_jax.core.types import Array, Params, State, Tree
from zerfoo_jax.layers.composites.frozen import awake, resting, resting_init
from zerfoo_jax.layers.quantized.forms import Names, runs_on_codes
from zerfoo_jax.layers.quantized.kernel import Activations, QuantizedKernel
from zerfoo_jax.numeric.dtypes import dtype_of
from zerfoo_jax.numeric.precision import wide_dtype
from zerfoo_jax.numeric.quantization import affine, pack_nibbles, quantize

FEWEST = 8
"""Numbers to a scale below which codes are no gain."""

Range = Callable[[Names], tuple[Any, Any]]
"""The ends of what reached a kernel: arrays, one number for each index of the kernel's leading axes."""


@dataclass(frozen=True)
class Quantized(Layer):
    """Any layer in evaluation mode, its kernels and embedding tables in codes: K ≈ scale (codes - zero point).

    Products, convolutions and embeddings (of `Dense`, `FeedForward`, attention, `VocabularyHead`, `Conv1D` to `Conv3D` and
    `Embedding`, also within a `Stack`, a graph and other layers of layers) run on the codes; of other layers the kernels and
    tables are decoded when they run, and what is neither, such as norms and biases, stays as it is. There is a scale for each
    output channel, for each row of a table, or in products with `block` for each so many inputs of a channel.

    `activations` "float" decodes the weights on the way (weight-only). Otherwise inputs get codes as well, of the same dtype:
    "dynamic" by the range of each row of a product, or each example of a convolution, at every call, "static" by the range
    that calibration has found; sums of their products are int32 (arXiv 1712.05877). `to` int8 is symmetric, uint8 has zero
    points; int4 is for weights alone, packed two to a byte, in products over an even number of inputs (elsewhere int8).
    float8_e4m3fn multiplies as such where the device can, and is widened elsewhere, in convolutions too.

    Parameters: none. State: `params`, those of `layer` with `codes`, `scale` and, where there are any, `zero_point`,
    `input_scale` and `input_zero_point` in the place of each kernel, and where it has any `state`. `quantize_network` in
    `zerfoo_jax.graph.editing` makes it of a trained network. Raises `ConfigError` for int4 or a block where activations have
    codes, and for an odd block of int4.

    >>> import jax
    >>> from zerfoo_jax.layers import Dense
    >>> params, state = Quantized(Dense(3)).init(jax.random.key(0), jnp.ones((1, 16)))
    >>> jax.tree.map(lambda x: (x.shape, x.dtype.name), state["params"]["kernel"])
    {'codes': ((16, 3), 'int8'), 'scale': ((1, 3), 'float32')}
    """

    layer: Layer
    to: Literal["int8", "uint8", "int4", "float8_e4m3fn"] = "int8"
    activations: Activations = "dynamic"
    block: PositiveInt | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.to == "int4" and self.block and self.block % 2:
            raise ConfigError(f"Quantized.block = {self.block} with int4, two to a byte", fix="give an even number")
        if self.activations != "float" and (self.to == "int4" or self.block):
            cause = "to = 'int4'" if self.to == "int4" else f"block = {self.block}"
            raise ConfigError(
                f"Quantized.{cause} does not go with activations = {self.activations!r}", fix="set activations='float'"
            )

    def init(self, key: Array, *specs: Any) -> tuple[Params, State]:
        inner, state = awake(resting_init(self.layer, key, specs))
        return {}, resting(self.encoded(inner, _unit_range), state)

    def build(self, walk: Walk, key: Array, *xs: Any) -> Built:
        output = walk.visit(self.layer, "layer", key, *xs)[2]
        return {}, {} if walk.problems else self.init(key, *xs)[1], output

    def apply(
        self, params: Params, state: State, *xs: Any, key: Array | None = None, train: bool = False
    ) -> tuple[Tree, State]:
        del params, key, train
        inner, inner_state = awake(state)
        floating = [x.dtype for x in xs if jnp.issubdtype(x.dtype, jnp.floating)]
        kernels = self._awake(inner, floating[0] if floating else None)
        output, inner_state = run_part(self.layer, "layer", kernels, inner_state, *xs)
        return output, resting(inner, inner_state)

    def encoded(self, params: Params, ranges: Range) -> Params:
        """The parameters of `layer` with codes in the place of kernels; `ranges` are those of static activations."""
        listed = runs_on_codes(self.layer)

        def encode(path: Names, leaf: Any) -> Any:
            if isinstance(leaf, Mapping):
                return {name: encode((*path, name), part) for name, part in leaf.items()}
            form = listed.get(path) or ("decoded" if path[-1] in ("kernel", "embedding") else None)
            if form is None or not jnp.issubdtype(leaf.dtype, jnp.floating):
                return leaf
            return self._codes(path, form, leaf, ranges)

        return {name: encode((name,), leaf) for name, leaf in params.items()}

    def _codes(self, path: Names, form: str, kernel: Array, ranges: Range) -> Any:
        if form == "transposed":
            kernel = kernel.swapaxes(-1, -2)
        shared = _shared(form, path)
        if kernel.ndim < 2 or np.prod([kernel.shape[axis] for axis in shared]) < FEWEST:
            return kernel
        product = form in ("product", "transposed")
        packs = self.to == "int4" and product and kernel.shape[-2] % 2 == 0
        to = "int8" if self.to == "int4" and not packs else self.to
        block = (-2, self.block) if self.block and product else None
        kernel = kernel.astype(wide_dtype(kernel.dtype))
        found = quantize(kernel, to, shared=shared, block=block, symmetric=to != "uint8")
        leaf = {"codes": pack_nibbles(found.codes, -2) if packs else found.codes, "scale": found.scale}
        leaf |= {} if found.zero_point is None else {"zero_point": found.zero_point}
        if self.activations != "static" or not self._takes_codes(form):
            return leaf
        scale, zero_point = affine(*ranges(path), to, symmetric=to != "uint8")
        each = kernel.shape[: kernel.ndim - len(shared) - 1]
        given = {"input_scale": scale, "input_zero_point": zero_point}
        return leaf | {name: jnp.broadcast_to(part, each) for name, part in given.items() if part is not None}

    def _takes_codes(self, form: str) -> bool:
        """Whether inputs of a kernel get codes too."""
        products = ("product", "transposed")
        return form in products or (form.startswith("convolution") and dtype_of(self.to).kind != "float")

    def _awake(self, params: Params, dtype: Any) -> Params:
        """The parameters as the layer takes them."""
        listed = runs_on_codes(self.layer)

        def wake(path: Names, leaf: Any) -> Any:
            if not isinstance(leaf, Mapping):
                return leaf.astype(dtype) if dtype and jnp.issubdtype(leaf.dtype, jnp.floating) else leaf
            if "codes" not in leaf:
                return {name: wake((*path, name), part) for name, part in leaf.items()}
            form = listed.get(path, "decoded")
            packed = self.to == "int4" and leaf["codes"].dtype == jnp.uint8
            to = "int8" if self.to == "int4" and not packed else self.to
            activations = self.activations if self._takes_codes(form) else "float"
            block = self.block if form in ("product", "transposed") else None
            kernel = QuantizedKernel(**leaf, to=to, activations=activations, block=block)
            return kernel if form != "decoded" else wake(path, kernel.decoded())

        return {name: wake((name,), leaf) for name, leaf in params.items()}


def _shared(form: str, path: Names) -> tuple[int, ...]:
    """The axes of a kernel that share a scale: the inputs of an output channel, the features of a row."""
    if form.startswith("convolution"):
        return tuple(range(-1 - int(form[-1]) - 1, -1))
    return (-1,) if path[-1] == "embedding" else (-2,)


def _unit_range(path: Names) -> tuple[Array, Array]:
    del path
    return jnp.float32(-1.0), jnp.float32(1.0)
