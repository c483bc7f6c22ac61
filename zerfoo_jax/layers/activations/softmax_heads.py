"""Softmaxes with parameters of their own: from hidden vectors to a distribution over many classes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import jax
import jax.numpy as jnp

from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.fields import PositiveFloat, PositiveInt
from zerfoo_jax.core.keys import fold_in_name
from zerfoo_jax.core.layer import Composite, Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State, Tree
from zerfoo_jax.layers.composites.combinators import Sequential
from zerfoo_jax.layers.dense import Dense
from zerfoo_jax.numeric import widened

Output = Literal["log_probabilities", "probabilities"]
"""Log-probabilities serve as logits of `cross_entropy`: they are what its own softmax leaves unchanged."""


def _distribution(log_p: Array, output: Output, dtype: Any) -> Array:
    return (log_p if output == "log_probabilities" else jnp.exp(log_p)).astype(dtype)


def _log_softmax(logits: Array) -> Array:
    return jax.nn.log_softmax(widened(logits))


@dataclass(frozen=True)
class AdaptiveSoftmax(Layer):
    """A distribution over classes sorted by falling frequency, with fewer parameters for the rarer.

    (..., features) -> (..., num_classes) (Grave et al., arXiv 1609.04309). The `head` chooses among the first `cutoffs[0]`
    classes and the clusters cutoffs[i] ... cutoffs[i + 1] - 1 (the last ends at num_classes); cluster i chooses within itself
    through features // div_value^(i + 1) numbers: p(class) = p(cluster) p(class | cluster). With the same parameters this is
    the `log_prob` of torch's AdaptiveLogSoftmaxWithLoss.

    Parameters: `head` with `kernel` (features, cutoffs[0] + clusters) and with `use_bias` `bias`; `tail_i` with the two
    kernels `dense_0` and `dense_1`. Raises `ConfigError` for cutoffs that do not rise between 1 and num_classes - 1, and
    `ShapeError` where a cluster would be left with no numbers.

    >>> layer = AdaptiveSoftmax(10, (2, 5), output="probabilities")
    >>> x = jnp.ones((1, 16))
    >>> params, state = layer.init(jax.random.key(0), x)
    >>> round(float(layer.forward(params, x).sum()), 4), params["tail_1"]["dense_0"]["kernel"].shape
    (1.0, (16, 1))
    """

    num_classes: PositiveInt
    cutoffs: tuple[PositiveInt, ...]
    div_value: PositiveFloat = 4.0
    use_bias: bool = False
    output: Output = "log_probabilities"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.cutoffs or any(a >= b for a, b in pairwise((*self.cutoffs, self.num_classes))):
            raise ConfigError(
                f"AdaptiveSoftmax.cutoffs = {self.cutoffs} should rise and end below num_classes = {self.num_classes}",
                fix="name the first class of each cluster, such as (2000, 10000) for 50000 classes",
            )

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "features", least=True)
        expect_floating(x)
        parts = self._parts(x.shape[-1])
        return {name: part.init(fold_in_name(key, name), x)[0] for name, part in parts.items()}, {}

    def forward(self, params: Params, x: Array) -> Array:
        log_p = {name: _log_softmax(part.apply(params[name], {}, x)[0]) for name, part in self._parts(x.shape[-1]).items()}
        head, *tails = log_p.values()
        first = self.cutoffs[0]
        clusters = [head[..., first + i, None] + tail for i, tail in enumerate(tails)]
        return _distribution(jnp.concatenate([head[..., :first], *clusters], axis=-1), self.output, x.dtype)

    def _parts(self, features: int) -> dict[str, Layer]:
        parts: dict[str, Layer] = {"head": Dense(self.cutoffs[0] + len(self.cutoffs), self.use_bias)}
        for i, (start, end) in enumerate(pairwise((*self.cutoffs, self.num_classes))):
            width = int(features // self.div_value ** (i + 1))
            if not width:
                raise ShapeError(
                    f"AdaptiveSoftmax leaves cluster {i} no numbers of {features} features with div_value = {self.div_value}",
                    fix="choose a smaller div_value or fewer cutoffs",
                )
            parts[f"tail_{i}"] = Sequential((Dense(width, use_bias=False), Dense(end - start, use_bias=False)))
        return parts


@dataclass(frozen=True)
class MixtureSoftmax(Composite):
    """p = Σ_k π_k softmax(W tanh(x U_k + u_k) + w), π = softmax(x P): a mixture of softmaxes (Yang et al., arXiv 1711.03953).

    (..., in) -> (..., num_classes). The logits of one softmax have at most the rank of its hidden width; a mixture's do not.
    `features` is the width of each component's hidden vector; W is shared.

    Parameters: `prior` with `kernel` P (in, num_components); `latent` with `kernel` (in, num_components · features) and
    `bias`; `decoder` with `kernel` (features, num_classes) and `bias`.

    >>> layer = MixtureSoftmax(5, num_components=2, features=3, output="probabilities")
    >>> x = jnp.ones((1, 4))
    >>> params, state = layer.init(jax.random.key(0), x)
    >>> round(float(layer.apply(params, state, x)[0].sum()), 4)
    1.0
    """

    num_classes: PositiveInt
    num_components: PositiveInt
    features: PositiveInt
    output: Output = "log_probabilities"

    def children(self) -> Mapping[str, Layer]:
        return {
            "prior": Dense(self.num_components, use_bias=False),
            "latent": Dense(self.num_components * self.features),
            "decoder": Dense(self.num_classes),
        }

    def connect(self, call: Callable[..., Tree], x: Array) -> Tree:
        log_prior = _log_softmax(call("prior", x))
        latent = jnp.tanh(call("latent", x)).reshape(*x.shape[:-1], self.num_components, self.features)
        log_components = _log_softmax(call("decoder", latent))
        log_p = jax.nn.logsumexp(log_prior[..., None] + log_components, axis=-2)
        return _distribution(log_p, self.output, x.dtype)
