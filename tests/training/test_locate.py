"""Bad numbers planted all over models: `locate` must name the layer, the pass and, for arguments, the leaf."""

from dataclasses import dataclass
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal, random_variables
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import spec_of
from zerfoo_jax.graph import Graph, Node
from zerfoo_jax.layers import (
    LSTM,
    Activation,
    Add,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    LayerNorm,
    MaxPool2D,
    MultiHeadAttention,
    Residual,
    Sequential,
    Stack,
)
from zerfoo_jax.losses import cross_entropy, mse
from zerfoo_jax.training.locate import locate

BLOCK = Sequential(
    (
        Residual(Sequential((LayerNorm(), MultiHeadAttention(2, causal=True)))),
        Residual(Sequential((LayerNorm(), Dense(6), Activation("gelu"), Dense(4)))),
    )
)
MODELS = {
    "convolutional": (
        Sequential((Conv2D(3, 3, padding="SAME"), BatchNorm(), Activation("relu"), MaxPool2D(2), Flatten(), Dense(3))),
        normal(0, 2, 4, 4, 2),
    ),
    "transformer": (Sequential((Stack(BLOCK, 2), LayerNorm(), Dense(3))), normal(1, 2, 3, 4)),
    "rematerialised": (Sequential((Stack(BLOCK, 2, remat=True), Dense(3))), normal(1, 2, 3, 4)),
    "recurrent": (Sequential((LSTM(4), LSTM(3, return_sequences=False), Dropout(0.2), Dense(3))), normal(2, 4, 3, 2)),
    "graph": (
        Graph(
            ("x",),
            (
                Node("left", Dense(4), ("x",)),
                Node("right", Dense(4), ("x",)),
                Node("sum", Add(), ("left", "right")),
                Node("head", Dense(3), ("sum",)),
            ),
            ("head",),
        ),
        normal(3, 4, 5),
    ),
}


def variables(model, x):
    """Fresh dicts around cached arrays."""
    return jax.tree.map(lambda leaf: leaf, _variables(model, spec_of(x)))


@cache
def _variables(model, spec):
    return jax.jit(lambda key: model.init(key, spec))(jax.random.key(0))


def batch_for(x, loss=cross_entropy):
    lead = x.shape[:2] if x.shape[1:] == (3, 4) else x.shape[:1]  # the transformers answer per token
    targets = jnp.zeros(lead, jnp.int32) if loss is cross_entropy else jnp.asarray(normal(9, *lead, 3))
    return {"inputs": jnp.asarray(x), "targets": targets, "weights": jnp.ones(lead[:1])}


def found(model, params, state, batch, loss=cross_entropy):
    return locate(model, loss, params, state, batch, jax.random.key(1))


@pytest.mark.parametrize("name", ["convolutional", "rematerialised"])
def test_a_healthy_model_has_no_culprit_for_all_its_masks_and_paddings(name):
    model, x = MODELS[name]
    assert found(model, *variables(model, x), batch_for(x)) is None


def leaves():
    for name, (model, x) in MODELS.items():
        if name != "rematerialised":
            params, state = jax.eval_shape(lambda key, m=model, x=x: m.init(key, spec_of(x)), jax.random.key(0))
            for tree in (params, state):
                for path, _ in jax.tree_util.tree_leaves_with_path(tree):
                    yield name, "/".join(p.key for p in path)


@pytest.mark.parametrize(("name", "path"), list(leaves()))
def test_every_bad_parameter_and_state_is_named(name, path):
    model, x = MODELS[name]
    params, state = variables(model, x)

    def spoil(p, leaf):
        return leaf.at[(-1,) * leaf.ndim].set(jnp.nan) if "/".join(k.key for k in p) == path else leaf

    spoiled = [jax.tree_util.tree_map_with_path(spoil, tree) for tree in (params, state)]
    culprit = found(model, *spoiled, batch_for(x))
    assert (culprit.path, culprit.phase) == (path, "arguments")
    assert (
        str(culprit) == f"{'state' if 'norm_0/mean' in path or 'norm_0/var' in path else 'parameter'} is not finite: {path!r}"
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("leaf", ["inputs", "targets", "weights"])
def test_bad_numbers_in_the_batch_are_named(leaf, bad):
    model, x = MODELS["graph"]
    batch = batch_for(x, mse)
    batch[leaf] = batch[leaf].at[-1].set(bad)
    assert str(found(model, *variables(model, x), batch, mse)) == f"batch is not finite: {leaf!r}"


OVERFLOWING = [
    ("convolutional", "conv2d_0/kernel", "conv2d_0"),
    ("convolutional", "dense_0/kernel", "dense_0"),
    ("convolutional", "batch_norm_0/scale", "batch_norm_0"),
    ("transformer", "stack_0/residual_1/inner/dense_0/kernel", "stack_0/block/residual_1/inner/dense_0"),
    ("transformer", "stack_0/residual_1/inner/dense_1/kernel", "stack_0/block/residual_1/inner/dense_1"),
    ("transformer", "stack_0/residual_0/inner/multi_head_attention_0/query/kernel", None),
    ("rematerialised", "stack_0/residual_1/inner/dense_0/kernel", "stack_0/block/residual_1/inner/dense_0"),
    ("graph", "left/kernel", "left"),
    ("graph", "head/kernel", "head"),
]


@pytest.mark.parametrize(("name", "leaf", "path"), OVERFLOWING)
def test_a_layer_that_overflows_is_named(name, leaf, path):
    model, x = MODELS[name]
    params, state = variables(model, x)

    def enlarge(p, value):
        return jnp.full_like(value, 3e38) if "/".join(k.key for k in p) == leaf else value

    culprit = found(model, jax.tree_util.tree_map_with_path(enlarge, params), state, batch_for(3 * np.abs(x) + 1))
    expected = path or "stack_0/block/residual_0/inner/multi_head_attention_0"
    assert (culprit.path, culprit.phase) == (expected, "forward pass")


def test_a_later_step_of_a_recurrence_is_searched():
    # The gates swallow the input's infinity in the first step; in the second the recurrent part's cancels it.
    model, x = MODELS["recurrent"]
    params, state = variables(model, x)
    for name, value in (("input", 3e38), ("recurrent", -3e38)):
        part = params["lstm_0"]["forward_0"][name]
        part["kernel"] = jnp.full_like(part["kernel"], value)
    assert str(found(model, params, state, batch_for(np.abs(x) + 2))) == "dot_general in the forward pass of layer 'lstm_0'"


def test_a_sum_of_large_but_finite_branches_is_named():
    model, x = MODELS["graph"]
    params, state = variables(model, x)
    params = {**params, **{n: {**params[n], "bias": jnp.full(4, 2e38)} for n in ("left", "right")}}
    assert str(found(model, params, state, batch_for(x))) == "add in the forward pass of layer 'sum'"


def test_of_two_culprits_the_first_is_named():
    model, x = MODELS["graph"]
    params, state = variables(model, x)
    params = {**params, **{n: {**params[n], "kernel": jnp.full((5, 4), 3e38)} for n in ("right", "left")}}
    assert found(model, params, state, batch_for(np.abs(x) + 1)).path == "left"


def test_the_block_of_a_stack_is_named_where_only_the_last_one_is_bad():
    model, x = MODELS["transformer"]
    params, state = variables(model, x)
    kernel = params["stack_0"]["residual_1"]["inner"]["dense_1"]["kernel"]
    params["stack_0"]["residual_1"]["inner"]["dense_1"]["kernel"] = kernel.at[1].set(3e38)
    assert found(model, params, state, batch_for(x)).path == "stack_0/block/residual_1/inner/dense_1"


@dataclass(frozen=True)
class Does(Layer):
    """A layer of one operation, by name."""

    operation: str

    def forward(self, params, x):
        return {
            "log": lambda: jnp.log(jax.nn.relu(x)),
            "exp": lambda: jnp.exp(100 * jnp.abs(x) + 100),
            "divide": lambda: x / jax.nn.relu(x),
            "inverse root": lambda: jax.lax.rsqrt(jax.nn.relu(x)),
            "power": lambda: (100 * jnp.abs(x) + 100) ** 30,
            "square root": lambda: jnp.sqrt(x - 100),
            "norm": lambda: x * 0 / jnp.linalg.norm(0 * x, axis=-1, keepdims=True),
            "arccos": lambda: jnp.arccos(x + 100),
            "mask": lambda: jax.nn.softmax(jnp.where(x > 100, x, -jnp.inf), axis=-1),
            "scan": lambda: jax.lax.scan(lambda c, row: (c * 1e30, row * c), jnp.float32(1), x)[1],
            "while": lambda: jax.lax.fori_loop(0, 20, lambda i, y: y * 1e30, x),
            "cond": lambda: jax.lax.cond(x.sum() > 1e9, lambda x: x, lambda x: jnp.log(0 * x), x),
            "benign": lambda: x + jnp.exp(jnp.where(x > 0, -jnp.inf, jnp.log(0 * x))),
            "root gradient": lambda: jnp.sqrt(jnp.abs(0 * x)),
            "norm gradient": lambda: x + jnp.linalg.norm(0 * x, axis=-1, keepdims=True),
            "where gradient": lambda: jnp.where(x > 1e9, jnp.log(0 * x), x),
            "arctan2 gradient": lambda: jnp.arctan2(0 * x, 0 * x),
            "power gradient": lambda: jnp.abs(0 * x) ** 0.5,
        }[self.operation]()


FORWARD = (
    "log", "exp", "divide", "inverse root", "power", "square root", "norm", "arccos", "mask", "scan", "while", "cond",
)  # fmt: skip
BACKWARD = ("root gradient", "norm gradient", "where gradient", "arctan2 gradient", "power gradient")


@pytest.mark.parametrize(
    ("operation", "place"),
    [(operation, "sequential") for operation in FORWARD + BACKWARD]
    + [(operation, place) for operation in ("log", "scan", "norm gradient") for place in ("stack", "graph")],
)
def test_a_layer_that_makes_bad_numbers_is_named_with_the_pass(operation, place):
    does, x = Does(operation), normal(3, 4, 5)
    if place == "sequential":
        model, path = Sequential((Dense(4), does, Dense(3))), "does_0"
    elif place == "stack":
        inner = Sequential((Dense(4), does))
        model, path = Sequential((Dense(4), Stack(inner, 2), Dense(3))), "stack_0/block/does_0"
    else:
        nodes = (Node("in", Dense(4), ("x",)), Node("the one", does, ("in",)), Node("sum", Add(), ("in", "the one")))
        model, path = Graph(("x",), (*nodes, Node("head", Dense(3), ("sum",))), ("head",)), "the one"
    culprit = found(model, *random_variables(model, x), batch_for(x))
    assert culprit is not None
    assert (culprit.path, culprit.phase) == (path, "forward pass" if operation in FORWARD else "backward pass")
    assert culprit.operation


def test_infinities_that_come_to_nothing_are_no_culprits():
    model, x = Sequential((Dense(4), Does("benign"), Dense(3))), normal(3, 4, 5)
    culprit = found(model, *random_variables(model, x), batch_for(x))
    assert culprit is None or culprit.phase == "backward pass"
    model = Sequential((Does("benign"), Dense(3), Does("log"), Activation("tanh"), Does("divide")))
    assert found(model, *random_variables(model, x), batch_for(x)).path in ("does_1", "does_2")


@dataclass(frozen=True)
class Largest(Layer):
    """The larger of two inputs, NaN if one is."""

    def forward(self, params, a, b):
        return jnp.maximum(a, b)


def test_a_nan_goes_back_to_the_nan_and_not_to_an_infinity_beside_it():
    nodes = (
        Node("infinite", Does("log"), ("x",)),
        Node("bad", Does("square root"), ("x",)),
        Node("largest", Largest(), ("infinite", "bad")),
    )
    model, x = Graph(("x",), nodes, ("largest",)), normal(3, 4, 5)
    assert found(model, {}, {}, batch_for(x)).path == "bad"


def test_a_loss_that_makes_bad_numbers_is_named():
    model, x = MODELS["graph"]
    batch = batch_for(x)
    batch["targets"] = batch["targets"].at[0].set(17)
    culprit = found(model, *variables(model, x), batch)
    assert culprit.path == "" and str(culprit).endswith("in the forward pass of the loss")


def test_no_weight_at_all_is_the_loss():
    model, x = MODELS["graph"]
    culprit = found(model, *variables(model, x), {**batch_for(x), "weights": jnp.zeros(4)})
    assert culprit.path == ""


def test_half_precision_overflows_where_float32_does_not():
    model, x = Sequential((Dense(4), Dense(3))), 1000 * normal(3, 4, 5)
    params, state = variables(model, x)
    params = jax.tree.map(lambda p: 100 * p, params)
    arguments = (model, cross_entropy, params, state, batch_for(x), jax.random.key(0))
    assert locate(*arguments) is None
    assert locate(*arguments, precision="float16").path in ("dense_0", "dense_1")


def test_state_that_overflows_under_a_finite_loss_is_found():
    model, x = Sequential((BatchNorm(use_scale=False, use_bias=False), Dense(3))), normal(3, 4, 5)
    x[:, 0] *= 1e25
    assert found(model, *variables(model, x), batch_for(x)).path == "batch_norm_0"
