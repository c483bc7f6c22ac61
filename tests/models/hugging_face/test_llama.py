"""Llama, Mistral, Qwen2, Qwen3 and Gemma beside transformers: one function here, five classes there."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.hugging_face import continued_by, logits_of, random_module, tokens
from tests.support.layers import assert_close
from tests.support.vision import arrays_of
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.inference import generate
from zerfoo_jax.inference.in_parts import same_in_parts
from zerfoo_jax.models.hugging_face import arguments_of, names_of, read_model
from zerfoo_jax.models.state_dict import to_state_dict

SIZES = {
    "vocab_size": 29,
    "hidden_size": 24,
    "intermediate_size": 44,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 6,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-3,
    "bos_token_id": None,
    "eos_token_id": None,
}
STRETCHED = {
    "rope_type": "llama3",
    "rope_theta": 50.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
YARN = {"rope_type": "yarn", "rope_theta": 50.0, "factor": 4.0, "original_max_position_embeddings": 16}
KINDS = {
    "llama": ("LlamaConfig", {"rope_parameters": {"rope_theta": 500.0, "rope_type": "default"}}),
    "llama 3": ("LlamaConfig", {"rope_parameters": STRETCHED, "tie_word_embeddings": True}),
    "llama with yarn": ("LlamaConfig", {"rope_parameters": {**YARN, "beta_fast": 4.0, "beta_slow": 0.5}}),
    "llama with positions in between": ("LlamaConfig", {"rope_parameters": {**YARN, "rope_type": "linear"}}),
    "llama with biases": ("LlamaConfig", {"attention_bias": True, "num_key_value_heads": 6, "head_dim": 4}),
    "mistral": ("MistralConfig", {"sliding_window": 5}),
    "mistral without a window": ("MistralConfig", {"sliding_window": None}),
    "qwen2": ("Qwen2Config", {"head_dim": 4}),
    "qwen2 with a window": ("Qwen2Config", {"use_sliding_window": True, "sliding_window": 3, "max_window_layers": 0}),
    "qwen3": ("Qwen3Config", {}),
    "gemma": ("GemmaConfig", {}),
}

every_kind = pytest.mark.parametrize("kind", sorted(KINDS))


def module_of(torch, kind):
    transformers = pytest.importorskip("transformers")
    name, options = KINDS[kind]
    return random_module(torch, getattr(transformers, name)(**(SIZES | options)))


@pytest.mark.oracle
@every_kind
def test_agrees_with_transformers_and_writes_its_arrays_back(torch, kind):
    module = module_of(torch, kind)
    config, arrays = module.config.to_dict(), arrays_of(module)
    model, params, state = read_model(config, arrays)
    run = jax.jit(lambda ids: model.apply(params, state, ids)[0])
    for batch, length in [(2, 23), (1, 1)]:  # 23 is longer than any window and than the positions before they are stretched
        ids = tokens(length, batch, length, 29)
        assert_close(run(ids), logits_of(torch, module, ids), 1e-4)
    back = to_state_dict(names_of(config), params, state)
    assert {*arrays} - {*back} == ({"lm_head.weight"} if config["tie_word_embeddings"] else set())
    for name, array in back.items():
        np.testing.assert_allclose(array, arrays[name], rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.oracle
@pytest.mark.parametrize(("kind", "length"), [("llama 3", 9), ("mistral", 4)])
def test_continues_a_text_as_transformers_does(torch, key, kind, length):
    module = module_of(torch, kind)
    model, params, state = read_model(module.config.to_dict(), arrays_of(module))
    assert same_in_parts(model)  # keys and values are kept
    prompt = tokens(length, 1, length, 29)[0]
    ours = generate(model, params, state, jnp.asarray(prompt), 12, key, context=32, temperature=0.0)
    assert ours.tolist() == continued_by(torch, module, prompt, 12)


@pytest.mark.oracle
def test_scales_kept_as_differences_from_1_in_half_precision_lose_nothing(torch):
    module = module_of(torch, "gemma")
    arrays = {name: jnp.asarray(array, jnp.bfloat16) for name, array in arrays_of(module).items()}
    _, params, _ = read_model(module.config.to_dict(), {name: np.asarray(array) for name, array in arrays.items()})
    expected = 1 + np.float32(arrays["model.norm.weight"])
    np.testing.assert_array_equal(params["inner"]["rms_norm_0"]["scale"], expected)


BASIC = {
    "model_type": "llama",
    "vocab_size": 32,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, {"num_kv_heads": 4, "head_dim": 6, "activation": "silu", "rotary_base": 10000.0, "tied": False}),
        ({"num_key_value_heads": 2, "head_dim": 8, "rope_theta": 5e5}, {"num_kv_heads": 2, "head_dim": 8, "rotary_base": 5e5}),
        ({"attention_bias": True, "use_bidirectional_attention": None}, {"attention_bias": "all"}),
        ({"model_type": "gemma", "hidden_act": "gelu"}, {"activation": "gelu_tanh", "tied": True, "scale_inputs": True}),
        ({"model_type": "mistral", "sliding_window": 7}, {"sliding_window": 7}),
        ({"model_type": "qwen2", "sliding_window": 7}, {"sliding_window": None, "attention_bias": "inputs"}),
        ({"model_type": "qwen2", "sliding_window": 7, "use_sliding_window": True}, {"sliding_window": None}),
        ({"rope_scaling": {"type": "default"}}, {"rotary_base": 10000.0}),
        ({"rope_scaling": {**STRETCHED, "rope_type": "llama3"}, "rope_theta": 9.0}, {"rotary_base": 50.0}),
    ],
)
def test_reads_older_and_newer_configs(change, expected):
    found = arguments_of({**BASIC, **change})
    assert found["name"] == "llama" and {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_type": "lama"}, "unknown model_type 'lama'"),
        ({"model_type": None}, "unknown model_type None"),
        ({"hidden_act": "relu6"}, "hidden_act = 'relu6'"),
        ({"mlp_bias": True}, "mlp_bias = True is not supported"),
        ({"rope_scaling": {"rope_type": "longrope"}}, "rope_type = 'longrope'"),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 2.0}}, "config.json has no 'low_freq_factor'"),
        ({"vocab_size": -3}, "llama.vocab_size = -3"),
        (
            {"model_type": "qwen2", "use_sliding_window": True, "sliding_window": 7, "max_window_layers": 2},
            "max_window_layers = 2 is not supported",
        ),
    ],
)
def test_what_is_not_supported_is_refused_by_name(change, words):
    with pytest.raises(ConfigError, match=words):
        arguments_of({**BASIC, **change})


def test_every_missing_size_is_named_at_once():
    with pytest.raises(ConfigError) as raised:
        arguments_of({"model_type": "llama", "vocab_size": 3})
    assert {problem.place for problem in raised.value.problems} == {*BASIC} - {"model_type", "vocab_size"}
