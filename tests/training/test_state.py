import jax
import jax.numpy as jnp
import pytest

from tests.support.training import MLP, assert_same_bits, new_state, numbers_batch
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.layers import Activation, BatchNorm, Dense, Dropout, Sequential
from zerfoo_jax.optim import adam
from zerfoo_jax.training import TrainState


def test_equal_seeds_give_equal_bits_and_others_do_not():
    batch = numbers_batch(6)
    first, second = (new_state(MLP, adam(0.1), batch, ema=True, precision="float16") for _ in range(2))
    assert_same_bits(first, second)
    other = TrainState.create(MLP, adam(0.1), jax.random.key(1), Spec((6, 4), jnp.float32))
    assert not jnp.array_equal(first.params["dense_0"]["kernel"], other.params["dense_0"]["kernel"])


def test_a_new_layer_leaves_the_others_initial_values_alone():
    batch = numbers_batch(6)
    small = new_state(Sequential((Dense(5), Dense(5), Dense(3))), adam(0.1), batch)
    large = new_state(
        Sequential((BatchNorm(), Dense(5), Activation("relu"), Dropout(0.5), Dense(5), BatchNorm(), Dense(3), Dense(2))),
        adam(0.1),
        batch,
    )
    for name in ("dense_0", "dense_1", "dense_2"):
        assert_same_bits(small.params[name], large.params[name])
    assert not jnp.array_equal(large.params["dense_0"]["kernel"][:, :2], large.params["dense_3"]["kernel"][:4])


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_no_array_stands_in_two_places_and_all_rest_in_float32(precision):
    state = new_state(MLP, adam(0.1), numbers_batch(6), ema=True, precision=precision)
    arrays = [leaf for leaf in jax.tree.leaves(state) if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)]
    assert len({leaf.unsafe_buffer_pointer() for leaf in arrays}) == len(arrays)
    assert {leaf.dtype.name for leaf in arrays} == {"float32", "int32"}
    assert (state.scaler is not None) == (precision == "float16")
    assert_same_bits(state.ema, state.params)


def test_half_precision_inputs_still_give_float32_parameters():
    state = TrainState.create(MLP, adam(0.1), jax.random.key(0), Spec((6, 4), jnp.float16), precision="float16")
    assert {leaf.dtype.name for leaf in jax.tree.leaves(state.params)} == {"float32"}


def test_an_unknown_precision_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'float16'"):
        new_state(MLP, adam(0.1), numbers_batch(6), precision="flaot16")
