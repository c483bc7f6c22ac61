import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import random_variables
from tests.support.vision import parameter_count
from zerfoo_jax.core.layer import check
from zerfoo_jax.core.types import Spec
from zerfoo_jax.models import llama

PUBLISHED = {
    "Llama 2 7B": (
        {"vocab_size": 32000, "num_layers": 32, "features": 4096, "num_heads": 32, "hidden": 11008},
        6_738_415_616,
    ),
    "Llama 3.2 1B": (
        {
            "vocab_size": 128256,
            "num_layers": 16,
            "features": 2048,
            "num_heads": 32,
            "num_kv_heads": 8,
            "hidden": 8192,
            "tied": True,
        },
        1_235_814_400,
    ),
    "Mistral 7B": (
        {"vocab_size": 32000, "num_layers": 32, "features": 4096, "num_heads": 32, "num_kv_heads": 8, "hidden": 14336},
        7_241_732_096,
    ),
    "Qwen2 0.5B": (
        {
            "vocab_size": 151936,
            "num_layers": 24,
            "features": 896,
            "num_heads": 14,
            "num_kv_heads": 2,
            "hidden": 4864,
            "attention_bias": "inputs",
            "tied": True,
        },
        494_032_768,
    ),
    "Qwen3 0.6B": (
        {
            "vocab_size": 151936,
            "num_layers": 28,
            "features": 1024,
            "num_heads": 16,
            "num_kv_heads": 8,
            "head_dim": 128,
            "hidden": 3072,
            "qk_norm": True,
            "tied": True,
        },
        596_049_920,
    ),
    "Gemma 2B": (
        {
            "vocab_size": 256000,
            "num_layers": 18,
            "features": 2048,
            "num_heads": 8,
            "num_kv_heads": 1,
            "head_dim": 256,
            "hidden": 16384,
            "tied": True,
        },
        2_506_172_416,
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_has_as_many_parameters_as_published(name):
    arguments, count = PUBLISHED[name]
    model = llama(**arguments)
    assert check(model, Spec((1, 64), "int32")).shape == (1, 64, arguments["vocab_size"])
    assert parameter_count(model, 1, 64, dtype="int32") == count


IDS = jnp.asarray(np.random.default_rng(0).integers(0, 13, (2, 9)), jnp.int32)
SMALL = {"vocab_size": 13, "num_layers": 2, "features": 8, "num_heads": 4, "num_kv_heads": 2, "hidden": 12}


@pytest.mark.parametrize("options", [{}, {"sliding_window": 3}])
def test_a_token_changes_no_earlier_answer_and_none_beyond_the_windows(options):
    model = llama(**SMALL, **options)
    params, state = random_variables(model, IDS)
    run = jax.jit(lambda ids: model.apply(params, state, ids)[0])
    logits, changed = run(IDS), run(IDS.at[:, 2].set((IDS[:, 2] + 5) % 13))
    reach = 2 + 2 * (options["sliding_window"] - 1) + 1 if options else 9  # each of two layers sees two tokens further back
    np.testing.assert_array_equal(changed[:, :2], logits[:, :2])
    np.testing.assert_array_equal(changed[:, reach:], logits[:, reach:])
    assert np.all(np.abs(changed - logits)[:, 2:reach].max((0, 2)) > 1e-4)
