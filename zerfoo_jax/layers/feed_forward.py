"""The feed-forward half of a transformer block."""

from dataclasses import dataclass

from zerfoo_jax.core.fields import PositiveInt, Probability
from zerfoo_jax.core.keys import fold_in_name
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.shapes import expect_axes, expect_floating
from zerfoo_jax.core.types import Array, Params, Spec, State
from zerfoo_jax.layers.activations.activation import ActivationSpec, activation
from zerfoo_jax.layers.dense import Dense
from zerfoo_jax.layers.initializers import InitializerSpec
from zerfoo_jax.layers.noise.dropout import drop


@dataclass(frozen=True)
class FeedForward(Layer):
    """y = act(x U + b) D + d at every position, (..., features) -> (..., features) (Vaswani et al., arXiv 1706.03762).

    `gated` multiplies by a second projection: y = (act(x G) · (x U)) D, with biases as above (Shazeer, arXiv 2002.05202):
    SwiGLU with `activation` "silu", GEGLU with "gelu". `dropout` acts on what D takes, in training.

    Parameters: `up` (U), with `gated` `gate` (G): `kernel` (features, hidden), `bias` (hidden,); `down` (D): `kernel`
    (hidden, features), `bias` (features,). Raises `ConfigError` when training with dropout and without a key.

    >>> layer = FeedForward(8, "silu", gated=True, use_bias=False)
    >>> import jax
    >>> params, state = layer.init(jax.random.key(0), Spec((1, 5, 4), "float32"))
    >>> {name: params[name]["kernel"].shape for name in sorted(params)}
    {'down': (8, 4), 'gate': (4, 8), 'up': (4, 8)}
    """

    hidden: PositiveInt
    activation: ActivationSpec = "gelu"
    gated: bool = False
    use_bias: bool = True
    dropout: Probability = 0.0
    kernel_init: InitializerSpec = "lecun_normal"

    def init(self, key: Array, x: Spec) -> tuple[Params, State]:
        expect_axes(x, "features", least=True)
        expect_floating(x)
        features = x.shape[-1]
        inside = Spec((*x.shape[:-1], self.hidden), x.dtype)
        return {
            name: layer.init(fold_in_name(key, name), inside if name == "down" else x)[0]
            for name, layer in self._projections(features).items()
        }, {}

    def apply(
        self, params: Params, state: State, x: Array, *, key: Array | None = None, train: bool = False
    ) -> tuple[Array, State]:
        projections = self._projections(x.shape[-1])

        def project(name: str, x: Array) -> Array:
            return projections[name].forward(params[name], x)

        act = activation(self.activation)
        inside = act(project("gate", x)) * project("up", x) if self.gated else act(project("up", x))
        return project("down", drop(inside, self.dropout if train else 0.0, key)), state

    def _projections(self, features: int) -> dict[str, Dense]:
        widths = {"up": self.hidden, **({"gate": self.hidden} if self.gated else {}), "down": features}
        return {name: Dense(width, self.use_bias, self.kernel_init) for name, width in widths.items()}
