"""NaN and infinities planted all over models: the error names node, operation, pass and line of code."""

from dataclasses import dataclass
from pathlib import Path
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal, random_variables
from zerfoo_jax.core.errors import DivergedError
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.engines import ENGINES, Debug
from zerfoo_jax.graph import Graph, Node, Shared
from zerfoo_jax.layers import (
    LSTM,
    Activation,
    Add,
    BatchNorm,
    Dense,
    LayerNorm,
    MultiHeadAttention,
    Parallel,
    Residual,
    Sequential,
    Stack,
)

X = normal(3, 4, 4)
TOKENS = normal(4, 4, 4, 4)


@jax.custom_vjp
def broken_gradient(x):
    return x


broken_gradient.defvjp(lambda x: (x, None), lambda _, g: (jnp.log(g * 0 - 1),))


@dataclass(frozen=True)
class Does(Layer):
    """A layer of one operation, by name."""

    operation: str = "log"

    def forward(self, params, x):
        return {
            "log": lambda: jnp.log(x * 0 - 1),
            "divide": lambda: x / (x * 0),
            "exp": lambda: jnp.exp(jnp.abs(x) + 100),
            "mask": lambda: jax.nn.softmax(jnp.where(x > 100, x, -jnp.inf), axis=-1),
            "sqrt gradient": lambda: jnp.sqrt(x * 0),
            "custom gradient": lambda: broken_gradient(x),
            "where gradient": lambda: jnp.where(x > 100, jnp.log(x * 0), x),
            "scan": lambda: jax.lax.scan(lambda c, row: (c * 1e20, row * c), jnp.float32(1), x)[1],
            "while": lambda: jax.lax.fori_loop(0, x[0, 0].astype(int) * 0 + 3, lambda i, y: (y + 1) * 1e30, x),
            "cond": lambda: jax.lax.cond(x.sum() > 1e9, lambda x: x, lambda x: jnp.log(0 * x), x),
        }[self.operation]()


def around(layer):
    return Sequential((Dense(4), layer, Dense(4)))


INNER = Graph(("x",), (Node("first", Dense(4), ("x",)), Node("bad one", Does(), ("first",))), ("bad one",))
SHARING = Graph(
    ("x",),
    (
        Node("once", Dense(4), ("x",)),
        Node("twice", Shared("once"), ("once",)),
        Node("sum", Add(), ("once", "twice")),
    ),
    ("sum",),
)
ATTENTION = Sequential((Dense(4), MultiHeadAttention(2)))
STACKS = {
    "plain": Sequential((Stack(Sequential((Dense(4), Activation("tanh"), Dense(4))), 3), Dense(4))),
    "remat": Sequential((Stack(Sequential((Dense(4), Activation("tanh"), Dense(4))), 3, remat=True), Dense(4))),
}

OF_A_LAYER = [
    ("log", "log", "forward"),
    ("divide", "div", "forward"),
    ("exp", "exp", "forward"),
    ("mask", "convert_element_type", "forward"),
    ("sqrt gradient", "div", "backward"),
    ("custom gradient", "log", "backward"),
    ("where gradient", "div", "backward"),
    ("cond", "log", "forward"),
]
"""Operation of the layer, primitive that makes the first bad number, pass."""

PLACES = [
    (around(Does()), "does_0"),
    (around(Residual(Dense(4), Does())), "residual_0/shortcut"),
    (around(Parallel((Dense(4), Does()))), "parallel_0/branch_1"),
    (Sequential((INNER, Dense(4))), "graph_0/bad one"),
    (Graph(("x",), (Node("deep", INNER, ("x",)), Node("out", Dense(4), ("deep",))), ("out",)), "deep/bad one"),
    (around(Stack(Sequential((Dense(4), Does())), 2)), "stack_0/block[0]/does_0"),
    (Sequential((Dense(4), LayerNorm(), Does())), "does_0"),
]

OVERFLOWS = [
    (around(Activation("relu")), X, "dense_0/kernel", 3e38, "dense_0", "dot_general"),
    (around(Activation("relu")), X, "dense_1/kernel", 3e38, "dense_1", "dot_general"),
    (around(Activation("relu")), 0 * X + 1, "dense_1/bias", 3e38, "", "integer_pow"),
    (Sequential((BatchNorm(), Dense(4))), X, "batch_norm_0/scale", 3e38, "batch_norm_0", "mul"),
    (ATTENTION, TOKENS, "multi_head_attention_0/query/kernel", 3e38, "multi_head_attention_0", "dot_general"),
    (ATTENTION, TOKENS, "multi_head_attention_0/out/kernel", 3e38, "multi_head_attention_0", "dot_general"),
    (Sequential((LSTM(4), Dense(4))), TOKENS, "dense_0/kernel", 3e38, "dense_0", "dot_general"),
    (SHARING, X, "once/kernel", 1e20, "twice", "dot_general"),
]
"""Model, input, parameter, what fills it, and the node and primitive where that overflows."""

LOSSES = {
    "log": lambda y: jnp.log(0 * y - 1).sum(),
    "div": lambda y: (y / (0 * y)).sum(),
}


def squares(y):
    return sum((part**2).sum() for part in jax.tree.leaves(y))


def fails(model, x, spoil=None, loss=squares, engine=ENGINES["debug"]):
    """The problem that the debug engine reports of a loss and its gradients."""
    params, state = random_variables(model, x)
    if spoil:
        params = jax.tree_util.tree_map_with_path(lambda p, leaf: spoil("/".join(k.key for k in p), leaf), params)

    def total(params, x):
        return loss(model.apply(params, state, x, train=True)[0])

    with pytest.raises(DivergedError) as caught:
        engine.compile(jax.value_and_grad(total))(params, x)
    return caught.value.problems[0]


def parts(problem):
    """Node, primitive and pass in an error's text."""
    node, phase = re.match(r"(.*), in the (\w+)", problem.place).groups()
    return node.replace("outside of all layers", ""), problem.cause.split(": ")[-1].split()[0], phase


@pytest.mark.parametrize(("operation", "primitive", "phase"), OF_A_LAYER)
def test_the_operation_and_the_pass(operation, primitive, phase):
    problem = fails(around(Does(operation)), X)
    assert parts(problem) == ("does_0", primitive, phase)
    line = int(re.search(rf"\({re.escape(__file__)}:(\d+)\)", problem.place)[1])
    written = Path(__file__).read_text().splitlines()[line - 1]
    assert f'"{operation}"' in written or (operation == "custom gradient" and "defvjp" in written)
    assert problem.cause.split(" made ")[0].endswith("-> float32[]" if operation == "mask" else "-> float32[4,4]")
    assert "stop_at_nonfinite" in problem.fix or operation == "mask"


@pytest.mark.parametrize(("model", "node"), PLACES, ids=lambda p: p if isinstance(p, str) else "")
def test_the_node(model, node):
    assert parts(fails(model, X)) == (node, "log", "forward")


@pytest.mark.parametrize(("operation", "node"), [("scan", "does_0[1]"), ("while", "does_0[1]")])
def test_the_iteration_of_a_loop(operation, node):
    model, (params, state) = around(Does(operation)), random_variables(around(Does()), X)
    trace = Debug().trace(lambda params, x: model.apply(params, state, x)[0], params, X)
    assert (trace.origin.node, trace.origin.layer, trace.origin.primitive) == (node, "does_0", "mul")


@pytest.mark.parametrize("kind", ["plain", "remat"])
@pytest.mark.parametrize("block", [0, 2])
def test_the_block_of_a_stack(kind, block):
    def spoil(path, leaf):
        return abs(leaf).at[block].set(3e38) if path == "stack_0/dense_1/kernel" else abs(leaf)

    problem = fails(STACKS[kind], abs(X), spoil)
    assert parts(problem) == (f"stack_0/block[{block}]/dense_1", "dot_general", "forward")


@pytest.mark.parametrize(("remat", "block"), [(False, 0), (True, 1)])  # the derivative is made on the way there, or back
def test_the_block_in_the_backward_pass(remat, block):
    model = around(Stack(Sequential((Dense(4), Does("sqrt gradient"))), 2, remat=remat))
    assert parts(fails(model, X)) == (f"stack_0/block[{block}]/does_0", "div", "backward")


@pytest.mark.parametrize(("model", "x", "leaf", "value", "node", "primitive"), OVERFLOWS)
def test_a_parameter_that_is_too_large(model, x, leaf, value, node, primitive):
    problem = fails(model, abs(x), lambda p, old: jnp.full_like(old, value) if p == leaf else abs(old))
    assert parts(problem) == (node, primitive, "forward")
    assert "out of finite numbers" in problem.cause


@pytest.mark.parametrize(("leaf", "node"), [("dense_0/kernel", "dense_0"), ("dense_1/bias", "dense_1")])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_parameter_is_named_with_its_first_use(leaf, node, bad):
    problem = fails(around(Activation("relu")), X, lambda p, old: old.at[..., -1].set(bad) if p == leaf else old)
    assert f"argument '0/{leaf}' is not finite" in problem.cause
    assert parts(problem)[0] == node


@pytest.mark.parametrize("kind", ["plain", "remat"])
def test_a_bad_parameter_of_one_block_is_named_with_the_block(kind):
    problem = fails(STACKS[kind], X, lambda p, old: old.at[2, 0, 0].set(np.nan) if p == "stack_0/dense_1/kernel" else old)
    assert "argument '0/stack_0/dense_1/kernel' is not finite: dot_general" in problem.cause
    assert parts(problem) == ("stack_0/block[2]/dense_1", "dot_general", "forward")


def test_a_cast_outside_of_all_layers_is_not_the_first_to_use_a_bad_parameter():
    model, (params, state) = around(Activation("relu")), random_variables(around(Activation("relu")), X)
    params["dense_1"]["kernel"] = params["dense_1"]["kernel"].at[0].set(np.inf)

    def total(params, x):
        half, x = jax.tree.map(lambda p: p.astype(jnp.bfloat16), (params, jnp.concatenate([x, x])))
        return squares(model.apply(half, state, x)[0])

    with pytest.raises(DivergedError) as caught:
        ENGINES["debug"].compile(total)(params, X)
    assert parts(caught.value.problems[0]) == ("dense_1", "dot_general", "forward")


def test_a_constant_that_is_not_finite():
    problem = fails(around(Activation("relu")), X, loss=lambda y: squares(y * np.float32([[np.nan, 1, 1, 1]])))
    assert "out of a constant" in problem.cause and "written in the code" in problem.fix


def test_an_infinity_that_is_meant_is_not_blamed_among_the_arguments():
    def lowest(arguments, x):
        return jnp.minimum(arguments["lowest"], x.min()), jnp.exp(arguments["weight"]) * x

    run = ENGINES["debug"].compile(lowest)
    assert float(run({"lowest": jnp.inf, "weight": 0.0}, X)[0]) == X.min()
    with pytest.raises(DivergedError, match="argument '0/weight' is not finite: exp"):
        run({"lowest": jnp.inf, "weight": np.nan}, X)
    with pytest.raises(DivergedError, match="out of finite numbers"):
        run({"lowest": jnp.inf, "weight": 1e3}, X)


@pytest.mark.parametrize("rate", [lambda count: 1 / (0.0 * count), jax.jit(lambda count: jnp.sqrt(-1 - count))])
def test_a_learning_rate_belongs_to_the_update(rate):
    model, (params, state) = around(Activation("relu")), random_variables(around(Activation("relu")), X)

    def step(params, count):
        value, grads = jax.value_and_grad(lambda params: squares(model.apply(params, state, X)[0]))(params)
        return value, count + 1, jax.tree.map(lambda p, g: p - rate(count) * g, params, grads)

    with pytest.raises(DivergedError) as caught:
        ENGINES["debug"].compile(step)(params, jnp.float32(1))
    node, primitive, _ = parts(caught.value.problems[0])
    assert (node, primitive) in {("", "div"), ("", "sqrt")} and "in the update" in caught.value.problems[0].place


def test_a_sum_of_large_branches_with_shared_parameters():
    problem = fails(SHARING, X, lambda p, old: jnp.full_like(old, 2e38 if p == "once/bias" else 0))
    assert parts(problem) == ("sum", "add", "forward")


def test_a_bad_input_is_named_with_its_first_use():
    problem = fails(around(Activation("relu")), np.where(X > 0, np.nan, X))
    assert "argument '1' is not finite: dot_general" in problem.cause and parts(problem)[0] == "dense_0"


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss(name):
    assert parts(fails(around(Activation("relu")), X, loss=LOSSES[name])) == ("", name, "forward")


def test_masks_and_what_comes_to_nothing_pass():
    def benign(x):
        return jax.nn.softmax(jnp.where(x > 0, x, -jnp.inf), axis=-1) + jnp.exp(jnp.log(0 * x))

    output = ENGINES["debug"].compile(benign)(abs(X) * np.float32([-1, 1, 1, 1]))
    assert bool(jnp.isfinite(output).all())


def test_what_is_not_to_stop_goes_on():
    run = Debug(stop_at_nonfinite=False).compile(lambda x: jnp.log(0 * x))
    assert bool(jnp.isinf(run(X)).all())
