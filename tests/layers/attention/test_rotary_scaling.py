import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.layers import RotaryPositions
from zerfoo_jax.layers.attention.rotary_scaling import rotary_frequencies

LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 128}
YARN = {"factor": 6.0, "original_max_position_embeddings": 512}


@pytest.mark.oracle
@pytest.mark.parametrize(("dims", "base"), [(64, 10000.0), (6, 500.0), (128, 5e5)])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (None, {"rope_type": "default"}),
        ({"name": "linear", "factor": 3.0}, {"rope_type": "linear", "factor": 3.0}),
        ({"name": "llama3", **LLAMA3}, {"rope_type": "llama3", **LLAMA3}),
        ({"name": "yarn", **YARN}, {"rope_type": "yarn", **YARN}),
        (
            {"name": "yarn", **YARN, "beta_fast": 20.0, "beta_slow": 2.0, "attention_factor": 1.4},
            {"rope_type": "yarn", **YARN, "beta_fast": 20, "beta_slow": 2, "attention_factor": 1.4},
        ),
        # The dynamic kind has our factor once the text is as many times as long as the training's.
        ({"name": "ntk", "factor": 4.0}, {"rope_type": "dynamic", "factor": 1.0, "seq_len": 4 * 512}),
    ],
    ids=["none", "linear", "llama3", "yarn", "yarn with options", "ntk"],
)
def test_frequencies_agree_with_transformers(torch, ours, theirs, dims, base):
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    theirs = dict(theirs)
    seq_len = theirs.pop("seq_len", None)
    config = LlamaConfig(
        hidden_size=2 * dims,
        num_attention_heads=2,
        max_position_embeddings=512,
        rope_parameters={"rope_theta": base, **theirs},
    )
    kind = theirs["rope_type"]
    init = LlamaRotaryEmbedding.compute_default_rope_parameters if kind == "default" else ROPE_INIT_FUNCTIONS[kind]
    expected, magnitude = init(config, device="cpu", seq_len=seq_len)
    frequencies, ours_magnitude = rotary_frequencies(dims, base, ours)
    np.testing.assert_allclose(frequencies, expected.numpy(), rtol=2e-6)
    np.testing.assert_allclose(ours_magnitude, magnitude, rtol=1e-12)


def test_one_pair_alone_is_not_scaled_by_ntk():
    assert rotary_frequencies(2, 100.0, {"name": "ntk", "factor": 4.0})[0].tolist() == [1.0]


@pytest.mark.parametrize(
    ("scaling", "words"),
    [
        ({"name": "linaer", "factor": 2.0}, "linear"),
        ({"name": "linear"}, "factor"),
        ({"name": "linear", "factor": 0.0}, "factor"),
        ({"name": "llama3", **LLAMA3, "high_freq_factor": 1.0}, "high_freq_factor"),
        ({"name": "yarn", "factor": 2.0, "length": 3}, "length"),
    ],
)
def test_bad_scalings_are_refused_at_construction(scaling, words):
    with pytest.raises(ConfigError, match=words):
        RotaryPositions(scaling=scaling)
