import jax.numpy as jnp
import pytest

from zerfoo_jax.core.arity import expect_inputs, inputs_taken
from zerfoo_jax.core.errors import ShapeError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.layers import LAYERS

"""Their own check, or that of the first layer inside, counts the inputs."""


class TwoOrThree(Layer):
    def forward(self, params, a, b, c=None):
        return a


class WithMode(Layer):
    def apply(self, params, state, x, key=None, train=False):
        return x, state


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_takes_at_least_one_input(name):
    least, most = inputs_taken(LAYERS[name])
    assert most >= max(1, least)


def test_layers_that_join_take_any_number():
    assert inputs_taken(LAYERS["Add"]) == (0, float("inf")) and inputs_taken(LAYERS["Dense"]) == (1, 1)


def test_optional_inputs_and_the_mode():
    assert inputs_taken(TwoOrThree) == (2, 3)
    assert inputs_taken(WithMode) == (1, 1)


def test_the_sentence_names_layer_and_numbers():
    x = jnp.zeros(2)
    expect_inputs(TwoOrThree(), (x, x))
    with pytest.raises(ShapeError, match="TwoOrThree takes 2 to 3 inputs, got 4"):
        expect_inputs(TwoOrThree(), (x,) * 4)
    with pytest.raises(ShapeError, match="WithMode takes 1 input, got 0"):
        expect_inputs(WithMode(), ())
    with pytest.raises(ShapeError, match="WithMode takes arrays, got a tuple"):
        expect_inputs(WithMode(), ((x, x),))
