"""Low-rank changes in whole networks: what learns, what stays, and what merging gives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import assert_close, normal
from zerfoo_jax.core.errors import GraphError
from zerfoo_jax.graph import model_from_spec, model_to_spec
from zerfoo_jax.graph.editing import Network, add_lora, merge_lora
from zerfoo_jax.layers import LoRA


def drawn(network, seed=0):
    """The network with random values in all of its low-rank parts, of which one half starts at 0."""
    leaves, tree = jax.tree.flatten(network.params)
    params = jax.tree.unflatten(tree, [jnp.asarray(normal(seed + i, *leaf.shape)) for i, leaf in enumerate(leaves)])
    return Network(network.model, params, network.state, network.specs)


def test_a_language_model_is_tuned_within_its_stack(language_model, language_output, key):
    new = add_lora(language_model, "attention/[qv]*", "feed_forward/*", rank=2, alpha=3.0, at="stack_0", key=key)
    assert list(new.model.children()) == ["embedding_0", "lo_ra_0", "layer_norm_0", "vocabulary_head_0"]
    assert new.params["embedding_0"] == language_model.params["embedding_0"]
    assert new.state["lo_ra_0"] == {"params": language_model.params["stack_0"]}
    assert jax.tree.map(jnp.shape, new.params["lo_ra_0"]["feed_forward"]["up"]["up"]) == {"kernel": (2, 2, 16)}
    run = jax.jit(lambda network_params, ids: new.model.apply(network_params, new.state, ids)[0])
    ids, expected = language_output
    np.testing.assert_allclose(run(new.params, ids), expected, rtol=1e-5, atol=1e-5)
    tuned = drawn(new)
    merged = merge_lora(tuned)
    assert merged.model == language_model.model and merged.state == {}
    stack, changes = language_model.params["stack_0"], tuned.params["lo_ra_0"]
    for part, name in (("attention", "query"), ("attention", "value"), ("feed_forward", "up"), ("feed_forward", "down")):
        a, b = (np.asarray(changes[part][name][side]["kernel"]) for side in ("down", "up"))
        assert_close(merged.params["stack_0"][part][name]["kernel"], stack[part][name]["kernel"] + 1.5 * np.matmul(a, b), 1e-5)
    assert merged.params["stack_0"]["attention"]["key"]["kernel"] is stack["attention"]["key"]["kernel"]
    assert_close(run(tuned.params, ids), jax.jit(merged.__call__)(ids), 1e-4)
    assert model_from_spec(model_to_spec(new.model))[0] == new.model


def test_a_whole_network_and_one_layer_of_it(transformer, perceptron, key):
    within = add_lora(transformer, "query", rank=1, alpha=1.0, at="stack_0/block/attention", key=key)
    assert jax.tree.map(jnp.shape, within.params["stack_0"]["attention"]) == {
        "query": {"down": {"kernel": (2, 4, 1)}, "up": {"kernel": (2, 1, 4)}}
    }
    whole = add_lora(add_lora(perceptron, rank=1, alpha=1.0, at="dense_1", key=key), "d*_1", rank=1, alpha=1.0, key=key)
    assert isinstance(whole.model, LoRA) and list(whole.params) == ["dense_1"]
    both = merge_lora(whole)
    assert both.model == perceptron.model
    jax.tree.map(np.testing.assert_array_equal, both.params, perceptron.params)


def test_what_matches_nothing_says_why(perceptron, key):
    with pytest.raises(GraphError, match=r"(?s)'dense_9' matches no kernel.*did you mean 'dense_"):
        add_lora(perceptron, "dense_0", "dense_9", rank=1, alpha=1.0, key=key)
    with pytest.raises(GraphError, match="no LoRA to merge"):
        merge_lora(perceptron)
