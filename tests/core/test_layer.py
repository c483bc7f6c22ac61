from dataclasses import dataclass
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import assert_close, normal
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.layer import Layer, check, walk
from zerfoo_jax.layers import (
    GRU,
    LSTM,
    Activation,
    Add,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    MaxPool2D,
    MultiHeadAttention,
    Residual,
    RMSNorm,
    Sequential,
    Stack,
)


def spec(*shape, dtype=jnp.float32):
    return jax.ShapeDtypeStruct(shape, dtype)


def assert_equal_trees(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_children_are_named_by_kind_and_count():
    layers = (Conv2D(2, 3), MaxPool2D(2), Conv2D(2, 3), GRU(3), RMSNorm(), MultiHeadAttention(1))
    names = ["conv2d_0", "max_pool2d_0", "conv2d_1", "gru_0", "rms_norm_0", "multi_head_attention_0"]
    assert list(Sequential(layers).children()) == names


def test_parameters_and_state_hold_only_what_exists(key):
    params, state = Sequential((Dense(4), Activation("relu"), BatchNorm(), Dense(2))).init(key, spec(1, 3))
    assert sorted(params) == ["batch_norm_0", "dense_0", "dense_1"]
    assert sorted(state) == ["batch_norm_0"]
    assert Sequential((Flatten(), Activation("relu"))).init(key, spec(1, 3)) == ({}, {})


def test_inserting_a_layer_without_parameters_changes_no_initial_value(key):
    plain = Sequential((Dense(4), Dense(4), Dense(2)))
    dropped = Sequential((Dropout(0.5), Dense(4), Dropout(0.1), Activation("relu"), Dense(4), Dense(2)))
    assert_equal_trees(plain.init(key, spec(1, 3))[0], dropped.init(key, spec(1, 3))[0])


def test_equal_siblings_start_with_different_values(key):
    params, _ = Sequential((Dense(4), Dense(4))).init(key, spec(1, 4))
    assert not jnp.allclose(params["dense_0"]["kernel"], params["dense_1"]["kernel"])


def test_a_child_gets_its_own_random_key(key):
    class Both(Sequential):
        def connect(self, call, *xs):
            return jnp.stack([call(name, *xs) for name in self.children()])

    x = jnp.ones((64,))
    first, second = Both((Dropout(0.5), Dropout(0.5))).apply({}, {}, x, key=key, train=True)[0]
    assert not jnp.array_equal(first, second)


def test_composite_collects_its_childrens_new_state(key):
    model = Sequential((BatchNorm(), Sequential((BatchNorm(momentum=0.0),))))
    x = 3 + normal(0, 16, 2)
    params, state = model.init(key, x)
    _, new = jax.jit(lambda s, x: model.apply(params, s, x, train=True))(state, x)
    assert jax.tree.structure(new) == jax.tree.structure(state)
    assert_close(new["batch_norm_0"]["mean"], 0.1 * x.mean(0), 1e-5)
    assert_close(new["sequential_0"]["batch_norm_0"]["mean"], np.zeros(2), 1e-5)


BLOCK = Residual(Sequential((Dense(6), Dropout(0.3), BatchNorm(), Dense(4))))


@cache
def stacked(num_layers):
    """A stack's parameters and state."""
    return jax.jit(lambda key: Stack(BLOCK, num_layers).init(key, spec(5, 4)))(jax.random.key(3))


def test_stack_has_the_leaves_of_one_block(key):
    one = jax.eval_shape(lambda: BLOCK.init(key, spec(5, 4)))
    assert jax.tree.map(jnp.shape, stacked(3)) == jax.tree.map(lambda x: (3, *x.shape), one)


@pytest.mark.parametrize("train", [False, True])
def test_stack_is_its_blocks_applied_one_after_another(key, train):
    params, state = stacked(3)
    x = normal(0, 5, 4)
    y, new_state = jax.jit(lambda x: Stack(BLOCK, 3).apply(params, state, x, key=key, train=train))(x)
    one = jax.jit(lambda params, state, x, key: BLOCK.apply(params, state, x, key=key, train=train))
    keys, states = jax.random.split(key, 3), []
    for i in range(3):
        block_params, block_state = jax.tree.map(lambda leaf, i=i: leaf[i], (params, state))
        x, block_state = one(block_params, block_state, x, keys[i])
        states.append(block_state)
    assert_close(y, x, 1e-5)
    jax.tree.map(lambda a, *b: assert_close(a, np.stack(b), 1e-5), new_state, *states)


def test_unroll_and_remat_change_no_value_and_no_gradient(key):
    params, state = stacked(3)
    x = normal(1, 5, 4)

    def values(**options):
        def loss(params):
            return jnp.sum(jnp.square(Stack(BLOCK, 3, **options).apply(params, state, x, key=key, train=True)[0]))

        return jax.jit(jax.value_and_grad(loss))(params)

    plain = values()
    for options in ({"unroll": True}, {"remat": True}):
        jax.tree.map(lambda a, b: assert_close(a, b, 1e-4), values(**options), plain)


def test_remat_keeps_less_for_the_backward_pass():
    params, state = stacked(3)

    def kept(**options):
        stack = Stack(BLOCK, 3, **options)
        _, pull = jax.eval_shape(lambda p, x: jax.vjp(lambda p, x: stack.apply(p, state, x)[0], p, x), params, spec(5, 4))
        return sum(leaf.size for leaf in jax.tree.leaves(pull))

    assert kept(remat=True) < kept()


def test_growing_a_stack_keeps_the_first_blocks_initial_values():
    (small, _), (large, _) = stacked(2), stacked(3)
    assert_equal_trees(small, jax.tree.map(lambda leaf: leaf[:2], large))
    kernel = large["inner"]["dense_0"]["kernel"]
    assert not jnp.allclose(kernel[0], kernel[1])


def test_a_stack_inside_a_model_starts_as_alone_with_its_key(key):
    model = Sequential((Stack(Dense(4), 2), Dense(3)))
    params, _ = model.init(key, spec(1, 4))
    assert params["stack_0"]["kernel"].shape == (2, 4, 4)
    assert not jnp.allclose(params["stack_0"]["kernel"][0], params["stack_0"]["kernel"][1])
    assert check(model, spec(5, 4)) == spec(5, 3)


def test_a_stack_whose_block_changes_the_width_is_refused():
    with pytest.raises(ShapeError, match=r"(?s)float32\(5, 4\) -> float32\(5, 3\).*stack_0"):
        check(Sequential((Stack(Dense(3), 2),)), spec(5, 4))


def test_check_collects_every_problem_with_its_path():
    model = Sequential((Conv2D(4, 3), Flatten(), Sequential((Embedding(3, 2), Stack(Dense(7), 2)))))
    with pytest.raises(ShapeError) as caught:
        check(model, spec(1, 8, 8))
    places = [problem.place for problem in caught.value.problems]
    assert places == ["conv2d_0", "sequential_0/embedding_0", "sequential_0/stack_0"]
    text = str(caught.value)
    assert text.startswith("3 problems:") and "may follow from the problem at conv2d_0" in text
    assert "batch, height, width, channels" in text


def test_check_gives_the_output_and_takes_several_inputs():
    assert check(Sequential((Add(), Dense(2))), spec(5, 3), spec(5, 3)) == spec(5, 2)
    with pytest.raises(ShapeError, match=r"(?s)equal shapes.*at add_0"):
        check(Sequential((Add(), Dense(2))), spec(5, 3), spec(5, 4))


def test_init_takes_arrays_in_place_of_specs(key):
    model, x = Sequential((Dense(3), BatchNorm())), normal(0, 2, 4)
    assert_equal_trees(model.init(key, x), model.init(key, spec(2, 4)))


def test_init_places_its_error(key):
    with pytest.raises(ShapeError, match="at sequential_0/dense_0") as caught:
        Sequential((Sequential((Dense(2),)),)).init(key, spec(1, 3, dtype=jnp.int32))
    assert caught.value.problems[0].fix


def test_errors_from_within_apply_carry_the_layers_name(key):
    model = Sequential((Dense(3), Sequential((Dropout(0.5),))))
    params, state = model.init(key, spec(1, 2))
    with pytest.raises(ConfigError, match="key") as caught:
        model.apply(params, state, jnp.ones((1, 2)), train=True)
    assert caught.value.__notes__ == ["in layer 'dropout_0'", "in layer 'sequential_0'"]


def test_walk_allocates_nothing():
    million = 1_000_000
    result = walk(Sequential((Dense(million), Stack(LSTM(million), 3))), spec(1, 2, million))
    assert not result.problems
    assert result.visits[0].path == "dense_0" and result.visits[0].params["kernel"] == spec(million, million)


def test_walk_visits_in_order_with_inputs_and_outputs():
    result = walk(Sequential((Dense(3), Residual(Dense(3)))), spec(5, 2))
    paths = ["dense_0", "residual_0/inner", "residual_0", ""]
    assert [visit.path for visit in result.visits] == paths
    assert result.visits[1].inputs == (spec(5, 3),) and result.visits[-1].output == spec(5, 3)


def test_a_layer_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Layer defines neither"):
        Layer().apply({}, {}, 1)


def test_the_walk_traces_equal_layers_on_equal_shapes_once_and_reports_each_place():
    traced = []

    @dataclass(frozen=True)
    class Counting(Layer):
        features: int

        def init(self, key, x):
            traced.append((self.features, x.shape))
            return {"kernel": jnp.zeros((x.shape[-1], self.features))}, {}

        def forward(self, params, x):
            return x @ params["kernel"]

    equal = Sequential((Counting(4), Counting(4), Counting(4), Counting(5), Counting(4)))
    result = walk(equal, jax.ShapeDtypeStruct((1, 4), jnp.float32))
    assert traced == [(4, (1, 4)), (5, (1, 4)), (4, (1, 5))]
    shapes = [(visit.inputs[0].shape, visit.params["kernel"].shape, visit.output.shape) for visit in result.visits[:-1]]
    assert shapes == [((1, i), (i, o), (1, o)) for i, o in ((4, 4), (4, 4), (4, 4), (4, 5), (5, 4))]
    assert jax.tree.map(jnp.shape, equal.init(jax.random.key(0), jnp.ones((1, 4)))[0]) == jax.tree.map(
        jnp.shape, result.visits[-1].params
    )
