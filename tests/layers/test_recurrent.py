import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, against_torch, normal, random_variables
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.layers import GRU, LSTM


def module_oracle(torch, layer):
    """torch.nn.LSTM or GRU run with the layer's parameters in torch's places."""

    def oracle(params, x):
        module = getattr(torch.nn, type(layer).__name__)(x.shape[-1], layer.features, batch_first=True)
        given = params["input"]["bias"]
        hidden = params["recurrent"].get("bias", torch.zeros(0))
        weights = {
            "weight_ih_l0": params["input"]["kernel"].T,
            "weight_hh_l0": params["recurrent"]["kernel"].T,
            "bias_ih_l0": given,
            "bias_hh_l0": torch.cat([torch.zeros(given.shape[0] - hidden.shape[0]), hidden]),
        }
        y = torch.func.functional_call(module, weights, (x,))[0]
        return y if layer.return_sequences else y[:, -1]

    return oracle


@pytest.mark.oracle
@pytest.mark.parametrize("kind", [LSTM, GRU])
@pytest.mark.parametrize(
    ("features", "sequences", "shape"),
    [(4, True, (3, 7, 5)), (5, False, (2, 6, 3)), (1, True, (1, 1, 1)), (3, False, (1, 1, 2))],
)
def test_agrees_with_torch(torch, kind, features, sequences, shape):
    layer = kind(features, return_sequences=sequences)
    against_torch(torch, layer, module_oracle(torch, layer), normal(shape[1], *shape), seed=features)


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_gradients_agree_with_finite_differences(kind):
    against_finite_differences(kind(2), normal(0, 1, 3, 2))


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_no_steps_give_an_empty_sequence_and_a_zero_state(kind):
    x = jnp.ones((2, 0, 3))
    params, _ = random_variables(kind(4), x)
    assert kind(4).forward(params, x).shape == (2, 0, 4)
    assert kind(4, return_sequences=False).forward(params, x).tolist() == [[0.0] * 4] * 2


def test_the_forget_gate_starts_open(key):
    params, _ = LSTM(3).init(key, jax.ShapeDtypeStruct((1, 2, 2), jnp.float32))
    assert params["input"]["bias"].tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(("kind", "gates"), [(LSTM, 4), (GRU, 3)])
def test_each_recurrent_block_starts_orthogonal(key, kind, gates):
    params, _ = kind(5).init(key, jax.ShapeDtypeStruct((1, 2, 2), jnp.float32))
    blocks = np.split(np.asarray(params["recurrent"]["kernel"]), gates, 1)
    for block in blocks:
        np.testing.assert_allclose(block @ block.T, np.eye(5), atol=1e-5)
    assert not np.allclose(blocks[0], blocks[1])


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_a_long_sum_does_not_stall_in_half_precision(kind):
    """Small additions to a state near 1 vanish in bfloat16; the state is therefore kept in float32."""
    x = jnp.ones((1, 400, 1))
    params, _ = random_variables(kind(1), x, scale=0.0)
    rate = jnp.asarray(5.0)  # how slowly the state moves: 1 - σ(5) = 0.7 % a step
    bias = [-rate, rate, 2, 5] if kind is LSTM else [0, rate, 2]
    params["input"]["bias"] = jnp.asarray(bias, jnp.float32)
    wide = kind(1).forward(params, x)
    half = kind(1).forward(jax.tree.map(lambda p: p.astype(jnp.bfloat16), params), x.astype(jnp.bfloat16))
    np.testing.assert_allclose(half.astype(jnp.float32)[:, -1], wide[:, -1], rtol=0.02)


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_bad_options_and_inputs_are_refused(key, kind):
    with pytest.raises(ConfigError, match="features = 0"):
        kind(0)
    with pytest.raises(ShapeError, match="batch, time, features"):
        kind(2).init(key, jax.ShapeDtypeStruct((2, 3), jnp.float32))
    with pytest.raises(ShapeError, match="int32"):
        kind(2).init(key, jax.ShapeDtypeStruct((2, 3, 4), jnp.int32))
