import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.hugging_face import continued_by, logits_of, random_module, tokens
from tests.support.layers import assert_close
from tests.support.vision import arrays_of
from zerfoo_jax.core.errors import CheckpointError, ConfigError
from zerfoo_jax.inference import generate
from zerfoo_jax.inference.in_parts import same_in_parts
from zerfoo_jax.models.hugging_face import arguments_of, names_of, read_model
from zerfoo_jax.models.state_dict import to_state_dict

SIZES = {
    "vocab_size": 29,
    "n_embd": 18,
    "n_layer": 3,
    "n_head": 3,
    "n_positions": 24,
    "layer_norm_epsilon": 1e-3,
    "bos_token_id": None,
    "eos_token_id": None,
}


def module_of(torch, **options):
    transformers = pytest.importorskip("transformers")
    return random_module(torch, transformers.GPT2Config(**(SIZES | options)))


@pytest.mark.oracle
@pytest.mark.parametrize("options", [{}, {"n_inner": 26, "activation_function": "relu"}])
def test_agrees_with_transformers_and_writes_its_arrays_back(torch, options):
    module = module_of(torch, **options)
    config, arrays = module.config.to_dict(), arrays_of(module)
    model, params, state = read_model(config, arrays)
    run = jax.jit(lambda ids: model.apply(params, state, ids)[0])
    for batch, length in [(2, 23), (1, 1)]:
        ids = tokens(length, batch, length, 29)
        assert_close(run(ids), logits_of(torch, module, ids), 1e-4)
    back = to_state_dict(names_of(config), params, state)
    assert {*arrays} - {*back} == {"lm_head.weight"}
    for name, array in back.items():
        np.testing.assert_array_equal(array, arrays[name], err_msg=name)


@pytest.mark.oracle
def test_reads_a_state_dict_without_the_prefix_and_with_the_old_masks(torch):
    module = module_of(torch)
    arrays, config = arrays_of(module), module.config.to_dict()
    bare = {name.removeprefix("transformer."): array for name, array in arrays.items() if name != "lm_head.weight"}
    bare |= {f"h.{i}.attn.bias": np.tril(np.ones((1, 1, 24, 24), np.float32)) for i in range(3)}
    jax.tree.map(np.testing.assert_array_equal, read_model(config, bare)[1], read_model(config, arrays)[1])
    del bare["wpe.weight"]
    with pytest.raises(CheckpointError, match=r"missing: wpe.weight of shape \(24, 18\)"):
        read_model(config, bare)


@pytest.mark.oracle
def test_continues_a_text_as_transformers_does(torch, key):
    module = module_of(torch)
    model, params, state = read_model(module.config.to_dict(), arrays_of(module))
    assert same_in_parts(model)  # keys and values are kept
    for length in (1, 11):
        prompt = tokens(length, 1, length, 29)[0]
        ours = generate(model, params, state, jnp.asarray(prompt), 12, key, context=24, temperature=0.0)
        assert ours.tolist() == continued_by(torch, module, prompt, 12)


BASIC = {"model_type": "gpt2", "vocab_size": 29, "n_embd": 18, "n_layer": 2, "n_head": 3, "n_positions": 24}


def test_reads_a_config():
    assert arguments_of(BASIC | {"n_inner": None, "resid_pdrop": 0.2}) == {
        "name": "gpt2",
        "vocab_size": 29,
        "max_length": 24,
        "num_layers": 2,
        "features": 18,
        "num_heads": 3,
        "hidden": 72,
        "activation": "gelu_tanh",
        "epsilon": 1e-5,
        "dropout": 0.2,
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx = True is not supported"),
        ({"activation_function": "gulu"}, "activation_function = 'gulu'"),
        ({"n_head": 0}, "gpt2.num_heads = 0"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(change, words):
    with pytest.raises(ConfigError, match=words):
        arguments_of(BASIC | change)
