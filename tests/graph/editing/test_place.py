"""Where layers stand: which parts can be reached, and which field holds them."""

import pytest

from zerfoo_jax.core.errors import GraphError
from zerfoo_jax.graph.editing.place import Place, children, everywhere, trail, with_child
from zerfoo_jax.layers import (
    Activation,
    Dense,
    Dropout,
    FeedForward,
    Frozen,
    LayerNorm,
    MixtureOfExperts,
    MultiHeadAttention,
    Parallel,
    Residual,
    Sequential,
    Stack,
    Stitch,
    TextEncoder,
    TransformerEncoderBlock,
)

BLOCK = TransformerEncoderBlock(MultiHeadAttention(2), FeedForward(3), LayerNorm(), dropout=0.1)
NEW = Activation("tanh")


@pytest.mark.parametrize(
    ("layer", "name", "expected"),
    [
        (Residual(Dense(2), Dense(2)), "shortcut", Residual(Dense(2), NEW)),
        (Parallel((Dense(2), Dense(2), Dense(2))), "branch_1", Parallel((Dense(2), NEW, Dense(2)))),
        (MixtureOfExperts((Dense(2), Dense(2)), gate=Dense(2)), "gate", MixtureOfExperts((Dense(2), Dense(2)), gate=NEW)),
        (Sequential((Dense(2), Dense(2))), "dense_1", Sequential((Dense(2), NEW))),
        (BLOCK, "attention", TransformerEncoderBlock(NEW, FeedForward(3), LayerNorm(), dropout=0.1)),
        (TextEncoder(Dense(2), Dense(2)), "blocks", TextEncoder(Dense(2), NEW)),
        (Stack(Dense(2), 3), "block", Stack(NEW, 3)),
        (Frozen(Dense(2)), "layer", Frozen(NEW)),
    ],
)
def test_one_of_several_equal_parts_is_replaced(layer, name, expected):
    assert with_child(layer, name, NEW) == expected


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (BLOCK, "feed_forward_norm"),
        (BLOCK, "attention_dropout"),
        (Stitch((3,)), "dense"),
        (MixtureOfExperts((Dense(2),)), "gate"),
    ],
)
def test_what_no_field_holds_alone_cannot_be(layer, name):
    assert name in children(layer)
    with pytest.raises(GraphError, match="as a whole") as caught:
        with_child(layer, name, Dropout(0.5))
    assert caught.value.problems[0].place == name


def test_places_know_their_variables():
    model = Sequential((Dense(2), Frozen(Stack(Residual(Dense(2)), 3))))
    assert [place.path for place in everywhere(Place((), model))][-1] == "frozen_0/layer/block/inner"
    last = trail(model, ("frozen_0", "layer", "block", "inner"))[-1]
    assert last.params == ("state", "frozen_0", "params", "inner") and last.state == ("state", "frozen_0", "state", "inner")
