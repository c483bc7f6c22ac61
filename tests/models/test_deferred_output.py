"""Language models that leave their scores to the loss learn the same as those that give them."""

import jax
import numpy as np
import pytest

from tests.support.layers import assert_close, random_variables
from zerfoo_jax.losses import cross_entropy, vocabulary_cross_entropy
from zerfoo_jax.models import gpt, gpt2, llama
from zerfoo_jax.numeric import Policy
from zerfoo_jax.training.gradients import Objective, gradients

SMALL = {"vocab_size": 13, "num_layers": 2, "features": 8, "num_heads": 2, "dropout": 0.0}
MODELS = [
    (gpt, SMALL),
    (gpt2, SMALL | {"hidden": 12}),
    (llama, SMALL | {"hidden": 12, "tied": True, "scale_inputs": True}),
]
TOKENS = np.random.default_rng(0).integers(0, 13, (3, 8)).astype(np.int32)
BATCH = {"inputs": TOKENS[:, :-1], "targets": TOKENS[:, 1:], "weights": np.array([1.0, 0.5, 2.0], np.float32)}


@pytest.mark.parametrize(("build", "options"), MODELS)
def test_both_losses_give_the_same_gradients(build, options):
    whole, deferred = build(**options), build(**options, output="deferred")
    params, state = random_variables(whole, BATCH["inputs"])

    @jax.jit
    def steps(params):
        objectives = Objective(whole, cross_entropy, {}, Policy()), Objective(deferred, vocabulary_cross_entropy, {}, Policy())
        return [gradients(each, params, state, BATCH, jax.random.key(0), None, 1) for each in objectives]

    expected, found = steps(params)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(lambda a, b: assert_close(a, b, 1e-5), found, expected)
