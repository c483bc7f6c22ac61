"""From hidden vectors to a score for every token: a projection of its own, or the embedding table used a second time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.core.keys import fold_in_name
from zerfoo_jax.core.layer import Built, Composite, Layer, Walk
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State, Tree, param_dtype
from zerfoo_jax.layers.dense import over_last
from zerfoo_jax.layers.initializers import InitializerSpec, initialize
from zerfoo_jax.layers.quantized.kernel import Kernel
from zerfoo_jax.layers.tokens.embedding import Embedding

Output = Literal["logits", "deferred"]
"""`logits` (..., vocab), or `deferred`: the pair (hidden (..., features), kernel (vocab, features)) whose product they are, for
losses and samplers that never hold all of them at once."""


def _scores(hidden: Array, kernel: Array | Kernel, output: Output) -> Tree:
    if isinstance(kernel, Kernel):
        return kernel.product(hidden)
    return (hidden, kernel) if output == "deferred" else jnp.matmul(hidden, kernel.T)


@dataclass(frozen=True)
class VocabularyHead(Layer):
    """y = x Kᵀ + b: a score for every token, (..., features) -> (..., vocab_size); with `output` "deferred" the pair (x, K).

    Parameters: `kernel` (vocab_size, features), one row per token as in an embedding, and with `use_bias` `bias` (vocab_size,).
    Raises `ConfigError` for a bias with deferred scores: the pair has no place for it.

    >>> VocabularyHead(2).forward({"kernel": jnp.array([[1.0, 0.0], [1.0, 1.0]])}, jnp.array([3.0, 4.0])).tolist()
    [3.0, 7.0]
    """

    vocab_size: PositiveInt
    use_bias: bool = False
    output: Output = "logits"
    kernel_init: InitializerSpec = "lecun_normal"
    bias_init: InitializerSpec = "zeros"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.use_bias and self.output == "deferred":
            raise ConfigError(
                "VocabularyHead.use_bias = True does not go with output = 'deferred'", fix="leave out one of the two"
            )

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "features", least=True)
        expect_floating(x)
        kernel_key, bias_key = jax.random.split(key)
        dtype = param_dtype(x)
        # Drawn as (features, vocab): what initializers call fan_in is the last axis but one.
        params = {"kernel": initialize(self.kernel_init, kernel_key, (x.shape[-1], self.vocab_size), dtype).T}
        if self.use_bias:
            params["bias"] = initialize(self.bias_init, bias_key, (self.vocab_size,), dtype)
        return params, {}

    def forward(self, params: Params, x: Array) -> Tree:
        scores = _scores(x, params["kernel"], self.output)
        return scores + over_last(params["bias"], scores) if self.use_bias else scores


@dataclass(frozen=True)
class TiedEmbedding(Composite):
    """y = inner(E[ids]) Eᵀ: one table for reading tokens and for scoring them (Press & Wolf, arXiv 1608.05859).

    Integers (...) -> (..., vocab_size), or with `output` "deferred" the pair (inner(E[ids]), E). `inner` keeps the width
    `features`; further inputs, such as a mask, go to it as they are. `scale_inputs` multiplies E[ids] by √features, as the
    original transformer (Vaswani et al., arXiv 1706.03762) and Gemma do. As in `Embedding`, an id outside the table gives NaN.

    Parameters: `embedding` (vocab_size, features), and `inner`. Raises `ShapeError` where inner's width is not `features`.

    >>> from zerfoo_jax.layers import Activation
    >>> layer = TiedEmbedding(3, 2, Activation("relu"))
    >>> params, state = layer.init(jax.random.key(0), jnp.array([[0, 2]]))
    >>> jax.tree.map(jnp.shape, params), layer.apply(params, state, jnp.array([[0, 2]]))[0].shape
    ({'embedding': (3, 2)}, (1, 2, 3))
    """

    vocab_size: PositiveInt
    features: PositiveInt
    inner: Layer
    scale_inputs: bool = False
    output: Output = "logits"
    embedding_init: InitializerSpec = "normal"

    def children(self) -> Mapping[str, Layer]:
        return {"inner": self.inner}

    def connect(self, call: Callable[..., Tree], *xs: Any) -> Tree:
        table, ids, *more = xs
        x = self._table().forward({"embedding": table}, ids)
        hidden = call("inner", x * self.features**0.5 if self.scale_inputs else x, *more)
        if hidden.shape[-1:] != (self.features,):
            raise ShapeError(
                f"TiedEmbedding needs inner's output to have {self.features} features, got shape {tuple(hidden.shape)}",
                fix="end inner with a layer of that width, or use an Embedding and a VocabularyHead",
            )
        return _scores(hidden, table, self.output)

    def build(self, walk: Walk, key: Array, *xs: Any) -> Built:
        own, _ = self._table().init(fold_in_name(key, "embedding"), xs[0])
        params, state, output = super().build(walk, key, own["embedding"], *xs)
        return {**own, **params}, state, output

    def apply(self, params: Params, state: State, ids: Array, *more: Any, **mode: Any) -> tuple[Tree, State]:
        return super().apply(params, state, params["embedding"], ids, *more, **mode)

    def _table(self) -> Embedding:
        return Embedding(self.vocab_size, self.features, self.embedding_init)
