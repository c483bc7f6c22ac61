"""Where language models drop: on the embeddings, the attention weights and what each part of a block adds; in training only."""

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr
import numpy as np
import pytest

from zerfoo_jax.models import bert, gpt, gpt2, llama, text_classifier

SMALL = {"vocab_size": 13, "num_layers": 2, "features": 8, "num_heads": 2, "dropout": 0.5}
TEXTS = SMALL | {"num_classes": 3}
IDS = np.ones((2, 5), np.int32)
DROPS = {
    "bert": (lambda: bert(**SMALL, hidden=12), 1 + 3),
    "gpt": (lambda: gpt(**SMALL), 2),
    "gpt2": (lambda: gpt2(**SMALL, hidden=12), 1 + 3),
    "llama": (lambda: llama(**SMALL, hidden=12), 3),
    "mean": (lambda: text_classifier(**TEXTS, encoder="mean"), 2),
    "gru": (lambda: text_classifier(**TEXTS, encoder="gru"), 2),
    "transformer": (lambda: text_classifier(**TEXTS, encoder="transformer"), 1 + 3 + 1),
}


def draws(jaxpr):
    """How often a program draws random numbers; the body of a loop over blocks counts once."""
    inner = [value for eqn in jaxpr.eqns for value in eqn.params.values()]
    inner = [value.jaxpr if isinstance(value, ClosedJaxpr) else value for value in inner]
    own = sum(eqn.primitive.name == "random_bits" for eqn in jaxpr.eqns)
    return own + sum(draws(value) for value in inner if isinstance(value, Jaxpr))


@pytest.mark.parametrize("name", DROPS)
def test_drops_where_it_says_and_in_training_only(key, name):
    build, expected = DROPS[name]
    model = build()
    params, state = jax.eval_shape(lambda key: model.init(key, IDS), key)

    def run(train):
        return jax.make_jaxpr(lambda params, key: model.apply(params, state, IDS, key=key, train=train)[0])(params, key)

    assert draws(run(True).jaxpr) == expected
    assert draws(run(False).jaxpr) == 0
