"""One layer replaced, inserted, removed or renamed: outputs by hand, arrays kept, problems listed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import assert_close, normal
from tests.support.networks import random_network
from tests.support.training import assert_same_bits
from zerfoo_jax.core.errors import GraphError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph import Graph, Node, Shared, graph_of, model_from_spec, model_to_spec
from zerfoo_jax.graph.editing import Network, insert, remove, rename, replace
from zerfoo_jax.layers import (
    Activation,
    Add,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    FeedForward,
    Flatten,
    GlobalAvgPool,
    LayerNorm,
    Parallel,
    Residual,
    Sequential,
    Split,
)
from zerfoo_jax.layers.composites.combinators import Stack

KEY = jax.random.key(0)


def leaves(network):
    tree = {"params": network.params, "state": network.state}
    return {jax.tree_util.keystr(path, simple=True, separator="/"): x for path, x in jax.tree_util.tree_leaves_with_path(tree)}


def assert_kept(new, old, *changed, moved=()):
    """All arrays but those under `changed` are the same objects, also those under new names."""
    names, before = dict(moved), leaves(old)
    for path, leaf in leaves(new).items():
        if not any(f"/{part}/" in path for part in changed):
            kind, name, *rest = path.split("/")
            assert leaf is before["/".join((kind, names.get(name, name), *rest))], path


def numpy_mlp(layers, x):
    for kernel, bias in layers[:-1]:
        x = np.tanh(x @ kernel + bias)
    return x @ layers[-1][0] + layers[-1][1]


def kernels(params, *names):
    return [(np.asarray(params[name]["kernel"]), np.asarray(params[name]["bias"])) for name in names]


def test_replacing_deep_inside_gives_what_init_would_and_keeps_the_rest(resnet, resnet_output, key):
    wider = Conv2D(2, 5, padding="SAME")
    new = replace(resnet, "layer1/0/conv1", wider, key=key)
    assert_kept(new, resnet, "layer1/0/conv1")
    expected = jax.jit(lambda key: new.model.init(key, *new.specs)[0]["layer1"]["0"]["conv1"])(key)
    assert_same_bits(new.params["layer1"]["0"]["conv1"], expected)
    assert new.params["layer1"]["0"]["conv1"]["kernel"].shape == (5, 5, 2, 2)
    # A 5x5 kernel with zeros around the old 3x3 one computes what the old one did.
    padded = np.pad(np.asarray(resnet.params["layer1"]["0"]["conv1"]["kernel"]), ((1, 1), (1, 1), (0, 0), (0, 0)))
    params = {**new.params, "layer1": {**new.params["layer1"], "0": {**new.params["layer1"]["0"]}}}
    params["layer1"]["0"]["conv1"] = {"kernel": jnp.asarray(padded), "bias": jnp.zeros(2)}
    x, expected = resnet_output
    assert_close(jax.jit(lambda x: Network(new.model, params, new.state, new.specs)(x))(x), expected, 1e-5)


def test_a_new_head_with_other_classes(transformer, key):
    new = replace(transformer, "head", Dense(9, kernel_init="ones"), key=key)
    assert_kept(new, transformer, "head")
    assert new.params["head"]["kernel"].shape == (4, 9) and transformer.params["head"]["kernel"].shape == (4, 3)
    assert model_from_spec(model_to_spec(new.model))[0] == new.model


def test_replacing_within_stacks_and_other_fields(language_model, key):
    new = replace(
        language_model, "stack_0/block[2]/feed_forward", FeedForward(3, "silu", gated=True, kernel_init="ones"), key=key
    )
    assert_kept(new, language_model, "feed_forward")
    assert new.params["stack_0"]["feed_forward"]["gate"]["kernel"].shape == (2, 4, 3)
    nested = random_network(Residual(Parallel((Dense(4), Dense(4)), "add")), Spec((2, 4), jnp.float32))
    changed = replace(nested, "inner/branch_1", Activation("tanh"))
    x, ((kernel, bias),) = normal(0, 2, 4), kernels(nested.params["inner"], "branch_0")
    np.testing.assert_allclose(changed(x), x + x @ kernel + bias + np.tanh(x), rtol=1e-5, atol=1e-6)


def test_layers_named_in_anew_start_anew(perceptron, key):
    message = r"kernel is \(6, 5\), and the edited model needs \(8, 5\)\n  at dense_1\n  fix: name it in `anew`"
    with pytest.raises(GraphError, match=message):
        replace(perceptron, "dense_0", Dense(8), key=key)
    new = replace(perceptron, "dense_0", Dense(8, kernel_init="ones"), anew=["dense_1"], key=key)
    assert_kept(new, perceptron, "dense_0", "dense_1")
    x = normal(0, 2, 8, 8, 1)
    assert_close(new(x), numpy_mlp(kernels(new.params, "dense_0", "dense_1", "dense_2"), x.reshape(2, 64)), 1e-5)


def test_parameters_follow_the_new_numbers_of_a_sequential(perceptron, key):
    new = insert(perceptron, Dense(6, kernel_init="ones"), after="activation_0", key=key)
    assert_kept(new, perceptron, "dense_1", moved={"dense_2": "dense_1", "dense_3": "dense_2"})
    flat = normal(0, 2, 64)
    old, (added,) = kernels(perceptron.params, "dense_0", "dense_1", "dense_2"), kernels(new.params, "dense_1")
    hidden = np.tanh(flat @ old[0][0] + old[0][1]) @ added[0] + added[1]
    assert_close(new(flat.reshape(2, 8, 8, 1)), numpy_mlp(old[1:], hidden), 1e-5)
    assert_same_bits(remove(new, "dense_1").params, perceptron.params)
    assert remove(new, "dense_1").model == perceptron.model
    first = insert(perceptron, Dense(64, kernel_init="ones"), before="dense_0", key=key)
    assert first.params["dense_1"]["kernel"] is perceptron.params["dense_0"]["kernel"]
    last = insert(perceptron, Activation("tanh"), after="dense_2")
    assert_close(last(flat.reshape(2, 8, 8, 1)), np.tanh(numpy_mlp(old, flat)), 1e-5)


def test_inserting_into_a_graph_of_graphs(resnet, resnet_output):
    x, expected = resnet_output
    same = insert(resnet, Activation("relu"), after="layer2/0/relu", name="again")  # relu of relu
    assert_kept(same, resnet)
    np.testing.assert_array_equal(jax.jit(same.__call__)(x), expected)
    doubled = insert(resnet, Add(), after="inputs", name="sum")
    assert dict((n.name, n.inputs) for n in doubled.model.nodes)["conv1"] == ("sum",)
    before = insert(resnet, Activation("tanh"), before="fc", name="squashed")
    assert [n.name for n in before.model.nodes[-3:]] == ["avgpool", "squashed", "fc"]


def test_all_takers_of_a_wire_take_the_inserted_node():
    split = Node("split", Split((2, 2)), ("x",))
    graph = Graph(("x",), (split, Node("sum", Add(), ("split:0", "split:1"))), ("sum", "split:1"))
    network = random_network(graph, Spec((3, 4), jnp.float32))
    new = insert(network, Activation("tanh"), after="split:1", name="tanh")
    x = normal(0, 3, 4)
    total, second = new(x)
    np.testing.assert_allclose(total, x[:, :2] + np.tanh(x[:, 2:]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(second, np.tanh(x[:, 2:]), rtol=1e-5, atol=1e-6)
    assert [n.name for n in new.model.nodes] == ["split", "tanh", "sum"]


def test_removing_leads_the_wires_past_the_node(key):
    nodes = {"a": Dense(4), "tanh": Activation("tanh"), "sum": (Add(), "tanh", "a"), "b": Dense(2, kernel_init="ones")}
    network = random_network(graph_of(nodes), Spec((3, 4), jnp.float32))
    new, x = remove(network, "tanh"), normal(0, 3, 4)
    assert_kept(new, network)
    (a, b), (c, d) = kernels(network.params, "a", "b")
    np.testing.assert_allclose(new(x), 2 * (x @ a + b) @ c + d, rtol=1e-5, atol=1e-6)
    assert sorted(remove(network, "a", anew=["b"], key=key).params) == ["b"]


def test_renaming_takes_wires_shared_layers_and_inputs_along():
    nodes = {"a": Dense(4), "again": (Shared("a"), "a"), "sum": (Add(), "a", "again")}
    network = random_network(graph_of(nodes), Spec((3, 4), jnp.float32))
    new = rename(rename(network, "a", "encoder"), "inputs", "x")
    assert new.model.input_names == ("x",) and new.params["encoder"] == network.params["a"]
    np.testing.assert_array_equal(new(normal(0, 3, 4)), network(normal(0, 3, 4)))


def test_renaming_inside(resnet):
    new = rename(resnet, "layer2/0/downsample/0", "projection")
    assert sorted(new.params["layer2"]["0"]["downsample"]) == ["1", "projection"]
    assert new.params["layer2"]["0"]["downsample"]["projection"] == resnet.params["layer2"]["0"]["downsample"]["0"]


def test_every_problem_is_listed_and_the_old_network_stays(resnet, key):
    before = resnet.model, leaves(resnet)
    with pytest.raises(GraphError) as caught:
        replace(resnet, "layer1/0/conv1", Conv2D(7, 3), key=key)
    assert [p.place for p in caught.value.problems] == ["layer1/0/bn1"] * 2 + ["layer1/0/conv2"] + ["layer1/0/bn1"] * 2
    with pytest.raises(GraphError) as caught:
        replace(resnet, "layer3/0/conv2", Sequential((Flatten(), Dense(4))), key=key)
    assert {p.place for p in caught.value.problems} >= {"layer3/0/add", "layer3/1/conv1"}
    assert resnet.model is before[0] and all(leaf is before[1][path] for path, leaf in leaves(resnet).items())


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda n: replace(n, "layer1/0/convv1", BatchNorm()),
            r"Graph at layer1/0 has no part 'convv1'(?s:.*)did you mean 'conv1'",
        ),
        (lambda n: replace(n, "fc/kernel", Dense(3)), "Dense at fc has no parts that can be edited"),
        (lambda n: replace(n, "fc", Dense(3)), r"(?s)2 problems.*need a random key\n  at fc/bias"),
        (lambda n: replace(n, "fc", Shared("fcc")), r"no node 'fcc' has a layer to share\n  at fc"),
        (lambda n: insert(n, Dropout(0.5), after="layer9", name="d"), "'layer9' comes from no node or input"),
        (lambda n: insert(n, Dropout(0.5), before="inputs", name="d"), "'inputs' is no node"),
        (lambda n: insert(n, Dropout(0.5), before="layer1/0/add", name="d"), r"takes 2 inputs \('bn2', 'inputs'\)"),
        (lambda n: insert(n, Dropout(0.5), after="conv1"), "a node needs a name"),
        (lambda n: insert(n, Dropout(0.5), after="conv1", name="fc"), "'fc' is used 2 times"),
        (lambda n: insert(n, Dropout(0.5), name="d"), "give one of the two"),
        (lambda n: insert(n, GlobalAvgPool(), after="conv1", name="p"), r"(?s)problems.*at layer1/0/conv1"),
        (lambda n: remove(n, "layer1/0/add"), "not clear which should go on"),
        (lambda n: remove(n, "layer4"), r"kernel is \(5, 3\), and the edited model needs \(4, 3\)\n  at fc"),
        (lambda n: rename(n, "fc", "conv1"), "'conv1' is in use"),
        (lambda n: rename(n, "fcc", "head"), "did you mean 'fc'"),
        (lambda n: rename(n, "fc", "a/b"), "cannot name a node"),
    ],
)
def test_what_cannot_be_done_says_why(resnet, edit, message):
    with pytest.raises(GraphError, match=message):
        edit(resnet)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda n: replace(n, "stack_0/block/attention_norm", LayerNorm()), r"one with attention_norm, feed_forward_norm"),
        (lambda n: replace(n, "stack_0/block", Dense(5)), "Stack needs a block whose output has its input's shape"),
        (lambda n: replace(n, "embedding_0", Embedding(7, 8), key=KEY), r"(?s)scale is .4,.*needs .8,.*at layer_norm_0"),
        (lambda n: remove(n, "stack_0/block"), "a Stack needs its 'block'"),
        (lambda n: insert(n, Dropout(0.5), after="stack_0/block"), "a Stack takes no further layer"),
        (lambda n: insert(n, Dropout(0.5), after="stack_0", name="d"), "leave it out"),
        (lambda n: rename(n, "stack_0", "body"), "parts of a Sequential have no names of their own"),
    ],
)
def test_what_cannot_be_done_within_stacks_says_why(language_model, edit, message):
    with pytest.raises(GraphError, match=message):
        edit(language_model)


def test_the_block_of_a_stack_as_a_whole(key):
    network = random_network(Stack(Dense(4), 2), Spec((2, 4), jnp.float32))
    new = replace(network, "block", Residual(Dense(4, kernel_init="ones")), key=key)
    assert new.params["inner"]["kernel"].shape == (2, 4, 4) and sorted(new.params) == ["inner"]
