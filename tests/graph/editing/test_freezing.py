"""What is frozen computes the same, does not learn, and learns again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import normal
from tests.support.networks import random_network, train_state
from tests.support.training import assert_same_bits, classes_batch
from zerfoo_jax.core.errors import GraphError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph import Shared, graph_of, model_from_spec, model_to_spec
from zerfoo_jax.graph.editing import Network, add_lora, freeze, unfreeze
from zerfoo_jax.layers import Activation, Dense, Frozen, Sequential, Stack
from zerfoo_jax.losses import cross_entropy
from zerfoo_jax.optim import adamw
from zerfoo_jax.training import make_train_step


def test_a_graph_of_graphs_computes_the_same_with_its_arrays_in_the_state(resnet, resnet_output):
    frozen = freeze(resnet, "conv1", "bn1", "layer[12]", "layer3/*/conv?")
    assert sorted(frozen.params) == ["fc", "layer3", "layer4"]
    assert sorted(frozen.params["layer3"]["0"]) == ["bn1", "bn2", "downsample"]
    own = resnet.params["layer1"]["0"]["conv1"]["kernel"]
    assert frozen.state["layer1"]["params"]["0"]["conv1"]["kernel"] is own
    assert frozen.state["layer1"]["state"]["0"]["bn1"]["mean"] is resnet.state["layer1"]["0"]["bn1"]["mean"]
    x, expected = resnet_output
    np.testing.assert_array_equal(jax.jit(frozen.__call__)(x), expected)
    wanted = jax.eval_shape(lambda key: frozen.model.init(key, *frozen.specs), jax.random.key(0))
    assert jax.tree.map(jnp.shape, (frozen.params, frozen.state)) == jax.tree.map(jnp.shape, wanted)
    assert model_from_spec(model_to_spec(frozen.model))[0] == frozen.model
    back = unfreeze(frozen, "**")
    assert back.model == resnet.model
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b), back.params, resnet.params)
    assert back.params["layer1"]["0"]["conv1"]["kernel"] is own
    partly = unfreeze(frozen, "layer2", "conv1")
    assert isinstance(partly.model.children()["layer1"], Frozen) and "layer2" in partly.params and "bn1" not in partly.params


def test_parts_of_a_language_model_rest_in_its_state(language_model, language_output):
    frozen = freeze(language_model, "embedding_0", "stack_0/block/attention")
    assert list(frozen.model.children()) == ["frozen_0", "stack_0", "layer_norm_0", "vocabulary_head_0"]
    assert sorted(frozen.params["stack_0"]) == ["attention_norm", "feed_forward", "feed_forward_norm"]
    assert frozen.state["stack_0"]["attention"]["params"] == language_model.params["stack_0"]["attention"]
    ids, expected = language_output
    np.testing.assert_array_equal(jax.jit(frozen.__call__)(ids), expected)
    assert unfreeze(frozen, "**").model == language_model.model


def test_training_with_decay_and_average_leaves_the_frozen_part_as_it_was():
    batch = classes_batch(16)
    model = Sequential((Dense(4), Stack(Sequential((Dense(4), Activation("tanh"))), 2), Dense(3)))
    network = random_network(model, batch["inputs"])
    frozen = freeze(network, "dense_0", "stack_0/block/dense_0")
    optimizer = adamw(0.1, weight_decay=0.5)
    state = train_state(frozen, optimizer, ema=True)
    step = make_train_step(frozen.model, cross_entropy, optimizer, ema_decay=0.9)
    for _ in range(3):
        state, _ = step(state, batch)
    assert_same_bits(state.state, frozen.state)
    assert sorted(state.params) == sorted(state.ema) == ["dense_0"]
    assert not np.array_equal(state.params["dense_0"]["kernel"], frozen.params["dense_0"]["kernel"])
    trained = unfreeze(Network(frozen.model, state.params, state.state, frozen.specs), "**")
    assert trained.model == model
    assert_same_bits({**trained.params, "dense_1": {}}, {**network.params, "dense_1": {}})


def test_layers_of_a_sequential_are_frozen_at_their_own_places(perceptron):
    frozen = freeze(perceptron, "dense_[01]")
    assert sorted(frozen.params) == ["dense_0"] and sorted(frozen.state) == ["frozen_0", "frozen_1"]
    assert frozen.params["dense_0"]["kernel"] is perceptron.params["dense_2"]["kernel"]
    assert frozen.state["frozen_1"]["params"]["kernel"] is perceptron.params["dense_1"]["kernel"]
    x = normal(0, 2, 8, 8, 1)
    np.testing.assert_array_equal(frozen(x), perceptron(x))
    assert unfreeze(frozen, "frozen_1").params["dense_0"]["kernel"] is perceptron.params["dense_1"]["kernel"]
    whole = freeze(perceptron, "**")
    assert whole.model == Frozen(perceptron.model) and whole.params == {}


def test_shared_places_are_frozen_with_their_layer():
    network = random_network(graph_of({"a": Dense(4), "t": Activation("tanh"), "b": Shared("a")}), Spec((2, 4), jnp.float32))
    frozen = freeze(network, "*")
    assert frozen.params == {} and frozen.model.nodes[2].layer == Shared("a")
    np.testing.assert_array_equal(frozen(normal(0, 2, 4)), network(normal(0, 2, 4)))


def test_what_cannot_be_frozen_says_why(language_model, perceptron, key):
    with pytest.raises(GraphError, match=r"'activation_0' matches no such layer"):
        freeze(perceptron, "activation_0")
    with pytest.raises(GraphError, match=r"(?s)'dens_0' matches no such layer.*did you mean 'dense_0'"):
        freeze(perceptron, "dense_1", "dens_0")
    with pytest.raises(GraphError, match="matches no such layer"):
        unfreeze(perceptron, "**")
    with pytest.raises(GraphError, match=r"(?s)one with attention_norm, feed_forward_norm.*at stack_0/block/feed_forward_norm"):
        freeze(language_model, "stack_0/block/*")
    with pytest.raises(GraphError, match="matches no such layer"):  # rests already
        freeze(add_lora(perceptron, rank=1, alpha=1.0, key=key), "layer/dense_0")
