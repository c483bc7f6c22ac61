"""Outlines against wiring written down by hand, and against what `init` allocates."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
import math
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from tests.support.architectures import ALL, outline_of
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.layer import Composite, Layer
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph import Graph, Node, Shared
from zerfoo_jax.graph.views.outline import Outline, Size, outline
from zerfoo_jax.layers import (
    Activation,
    Add,
    Dense,
    FeedForward,
    Frozen,
    LayerNorm,
    LoRA,
    MixtureOfExperts,
    MultiHeadAttention,
    Parallel,
    Quantized,
    Residual,
    Sequential,
    Split,
    Stack,
    TransformerEncoderBlock,
)
from zerfoo_jax.models import resnet18, unet

X = Spec((2, 3, 4), jnp.float32)


def edges(group: Outline) -> set[tuple[str, str]]:
    """The edges with joins named by their symbols, and ports without a slash."""
    names = {join.name: join.symbol for join in group.joins}
    return {tuple(names.get(end, end.removeprefix("/")) for end in (edge.source, edge.target)) for edge in group.edges}


def chain(*ends: str) -> set[tuple[str, str]]:
    return set(pairwise(ends))


def test_sequential_residual_and_parallel():
    model = Sequential((Dense(4), Residual(Dense(4)), Parallel((Dense(4), Activation("relu"), Dense(4)), "add")))
    found = outline(model, X)
    assert edges(found) == chain("input:0", "dense_0", "residual_0", "parallel_0", "output:0")
    assert edges(found.at("residual_0")) == chain("input:0", "inner", "+", "output:0") | {("input:0", "+")}
    branches = [f"branch_{i}" for i in range(3)]
    assert edges(found.at("parallel_0")) == {
        *(("input:0", branch) for branch in branches),
        *((branch, "+") for branch in branches),
        ("+", "output:0"),
    }
    assert [edge.value.shape for edge in found.edges] == [(2, 3, 4)] * 4
    assert found.at("residual_0").input_names == ("x",)


def test_transformer_block_and_stack():
    block = TransformerEncoderBlock(MultiHeadAttention(2), FeedForward(8), LayerNorm())
    found = outline(Stack(block, 3), X, Spec((2, 3), jnp.bool))
    assert edges(found) == chain("input:0", "block[3]", "output:0") | {("input:1", "block[3]")}
    inside = found.at("block[3]")
    names = {join.name: join.symbol + join.name[-1] for join in inside.joins}
    wired = {tuple(names.get(end, end) for end in (edge.source, edge.target)) for edge in inside.edges}
    assert wired == {
        *chain("/input:0", "attention_norm", "attention", "+0", "feed_forward_norm", "feed_forward", "+1", "/output:0"),
        ("/input:0", "+0"),
        ("/input:1", "attention"),
        ("+0", "+1"),
    }
    assert inside.copies == 3 and inside.input_names == ("x", "mask")
    assert inside.parameters == found.parameters == Size(3 * (4 * 20 + 40 + 36 + 2 * 8), 4 * 3 * (4 * 20 + 40 + 36 + 2 * 8))


def test_resnet_block_and_skips_of_unet():
    found = outline(resnet18(widths=(4, 4, 8, 8), num_classes=3), Spec((1, 32, 32, 3), jnp.float32)).at("layer3/0")
    main = chain("input:0", "conv1", "bn1", "relu1", "conv2", "bn2", "add", "relu", "output:0")
    assert edges(found) == main | chain("input:0", "downsample", "add")

    found = outline(unet(widths=(2, 4, 8)), Spec((1, 8, 8, 1), jnp.float32))
    way = [
        "input:0",
        "down0",
        "pool1",
        "down1",
        "pool2",
        "down2",
        "up1",
        "concat1",
        "merge1",
        "up0",
        "concat0",
        "merge0",
        "head",
    ]
    assert edges(found) == chain(*way, "output:0") | {("down0", "concat0"), ("down1", "concat1")}


def test_shared_layers_and_several_outputs():
    nodes = (
        Node("first", Dense(4), ("x",)),
        Node("again", Shared("first"), ("first",)),
        Node("split", Split(2), ("again",)),
        Node("sum", Add(), ("split:0", "split:1")),
    )
    found = outline(Graph(("x",), nodes, ("sum", "again")), X)
    assert edges(found) == chain("input:0", "first", "again", "split", "sum", "output:0") | {("again", "output:1")}
    again = found.at("again")
    assert again.shared_with == "first" and again.parameters == Size() and again.kind == "Dense"
    assert found.parameters.numbers == found.at("first").parameters.numbers == 20
    assert again.operations == found.at("first").operations == 2 * 6 * 4 * 4 + 6 * 4
    assert [value.shape for value in found.outputs] == [(2, 3, 2), (2, 3, 4)]


@dataclass(frozen=True)
class Attending(Composite):
    """Wiring that only `connect` knows, with operations of one and of several values in between."""

    def children(self) -> dict[str, Layer]:
        return {"query": Dense(4), "key": Dense(4), "unused": Dense(2), "out": Dense(2)}

    def connect(self, call: Callable[..., Any], x: Any, y: Any) -> Any:
        query = jnp.swapaxes(call("query", x), 1, 2)
        scores = jax.nn.softmax(query @ jnp.tanh(call("key", y)) * 2.0)
        call("unused", x)
        return call("out", scores), jnp.zeros(3)


def test_wires_follow_plain_operations():
    found = outline(Attending(), X, X)
    assert edges(found) == {
        *chain("input:0", "query", "matmul", "out", "output:0"),
        *chain("input:1", "key", "matmul"),
        ("input:0", "unused"),
    }
    assert found.input_names == ("x", "y")


@dataclass(frozen=True)
class Meeting(Composite):
    """Values that meet, meet again, and are summed up in several steps."""

    def children(self) -> dict[str, Layer]:
        return {name: Dense(4) for name in ("a", "b", "c")}

    def connect(self, call: Callable[..., Any], x: Any) -> Any:
        a, b, c = (call(name, x) for name in "abc")
        met = a * b
        return jnp.where(a > 0, met, b) + b, a + b + c


def test_what_meets_again_is_one_join_and_so_is_a_sum():
    found = outline(Meeting(), X)
    wired = {edge for edge in edges(found) if edge[0] != "input:0"}
    assert wired == {("a", "×"), ("b", "×"), ("×", "output:0"), ("a", "+"), ("b", "+"), ("c", "+"), ("+", "output:1")}
    assert sorted(join.symbol for join in found.joins) == ["+", "×"]


def test_own_parameters_and_mixtures():
    found = outline_of("gpt2")
    assert edges(found) == {*chain("input:0", "gather", "inner", "matmul", "output:0"), ("own", "gather"), ("own", "matmul")}
    assert found.own_names == ("embedding",) and {e.value.shape for e in found.edges if e.source == "/own"} == {(7, 8)}
    found = outline(MixtureOfExperts((Dense(5), Dense(5))), X)
    assert {("input:0", "gate"), ("input:0", "expert_0"), ("input:0", "expert_1"), ("gate", "matmul")} < edges(found)


@pytest.mark.parametrize("name", ALL)
def test_every_architecture_is_one_piece_with_all_its_parameters(name):
    found = outline_of(name)
    for path, group in found.parts():
        inside = sum(child.parameters.numbers for child in group.children)
        assert (
            inside == group.parameters.numbers or not group.children or group.own_names or group.kind in ("LoRA", "Frozen")
        ), path
        assert sum(child.operations for child in group.children) <= group.operations
        ends = {end for edge in group.edges for end in (edge.source, edge.target)}
        assert not group.children or {child.name for child in group.children} <= ends or group.kind == "AdversarialPair", path
    assert found.parameters.numbers and found.operations


@pytest.mark.parametrize(("name", "count"), [("resnet50", 25_557_032), ("gpt2", 124_439_808), ("densenet121", 7_978_856)])
def test_known_parameter_counts(name, count):
    found = outline_of(f"published {name}")
    assert found.parameters == Size(count, 4 * count)


def test_state_is_counted_apart():
    found = outline_of("published resnet50")
    assert found.state.numbers == 53_120  # two numbers for each of the channels that are normalised
    assert math.isclose(sum(part.state.numbers for _, part in found.parts() if not part.children), 53_120)


def test_frozen_parameters_count_as_state():
    found = outline(Sequential((Frozen(Sequential((Dense(5), Dense(3)))), LoRA(Dense(5), 2, 1.0))), X)
    assert edges(found.at("frozen_0")) == chain("input:0", "layer", "output:0")
    assert found.parameters.numbers == 3 * 2 + 2 * 5  # the change of low rank alone
    assert found.state.numbers == sum(part.state.numbers for _, part in found.parts() if not part.children) == 25 + 18 + 20
    assert {part.parameters.numbers for _, part in found.parts() if not part.children} == {0}


def test_codes_count_as_the_state_that_they_are():
    found = outline(
        Quantized(Sequential((Dense(16), Stack(Dense(16), 3))), to="int4", activations="float"), Spec((1, 32), jnp.float32)
    )
    dense, blocks = 16 * 16 + 4 * (16 + 16), 3 * (8 * 16 + 4 * (16 + 16))  # bytes: two codes each, scales, bias
    assert found.parameters == Size() and found.state.bytes == found.at("layer").state.bytes == dense + blocks
    places = ("layer/dense_0", "layer/stack_0", "layer/stack_0/block[3]")
    assert [found.at(place).state.bytes for place in places] == [dense, blocks, blocks]
    assert all(part.parameters == Size() for _, part in found.parts())


def test_what_does_not_fit_is_reported_with_its_place():
    with pytest.raises(ShapeError, match="at dense_0"):
        outline(Sequential((Dense(2),)), Spec((1, 3), jnp.int32))
    deep: Layer = Dense(4)
    for _ in range(100):
        deep = Residual(deep)
    with pytest.raises(ConfigError, match="nested too deep"):
        outline(deep, X)
    with pytest.raises(ConfigError, match="no node 'conv7'"):
        outline_of("resnet18").at("conv7")


def test_a_part_and_what_is_around_it():
    block = outline_of("resnet50").at("layer1/0")
    near = block.around("add", 1)
    assert {child.name for child in near.children} == {"add", "bn3", "downsample", "relu"}
    assert edges(near) == {("bn3", "add"), ("downsample", "add"), ("add", "relu")}
    assert [child.name for child in block.around("add", 0).children] == ["add"]
