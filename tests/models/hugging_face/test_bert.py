import jax
import numpy as np
import pytest

from tests.support.hugging_face import random_module, tokens
from tests.support.layers import assert_close
from tests.support.vision import arrays_of
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.models.hugging_face import arguments_of, names_of, read_model
from zerfoo_jax.models.state_dict import to_state_dict

SIZES = {
    "vocab_size": 29,
    "hidden_size": 18,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "intermediate_size": 26,
    "max_position_embeddings": 24,
    "type_vocab_size": 3,
    "layer_norm_eps": 1e-3,
}
MASK = np.arange(17)[None, :] < np.array([[17], [9], [1]])


def module_of(torch):
    transformers = pytest.importorskip("transformers")
    return random_module(torch, transformers.BertConfig(**SIZES), "AutoModel")


def theirs(torch, module, ids, mask, types):
    with torch.no_grad():
        given = {"attention_mask": mask, "token_type_ids": types}
        tensors = {name: torch.tensor(x).long() for name, x in given.items() if x is not None}
        found = module(input_ids=torch.tensor(ids).long(), **tensors)
    return found.last_hidden_state.numpy(), found.pooler_output.numpy()


@pytest.mark.oracle
def test_agrees_with_transformers_and_writes_its_arrays_back(torch):
    module = module_of(torch)
    config, arrays = module.config.to_dict(), arrays_of(module)
    model, params, state = read_model(config, arrays)
    ids, types = tokens(0, 3, 17, 29), tokens(1, 3, 17, 3)
    for mask, kinds in [(None, None), (MASK, None), (MASK.astype(np.int32), types)]:
        given = [x for x in (ids, mask, kinds) if x is not None]
        hidden, pooled = jax.jit(lambda *xs: model.apply(params, state, *xs)[0])(*given)
        expected_hidden, expected_pooled = theirs(torch, module, ids, mask, kinds)
        assert_close(hidden, expected_hidden, 1e-4)
        assert_close(pooled, expected_pooled, 1e-4)
    back = to_state_dict(names_of(config, prefix=""), params, state)
    assert {*arrays} == {*back}
    for name, array in back.items():
        np.testing.assert_array_equal(array, arrays[name], err_msg=name)


@pytest.mark.oracle
def test_reads_a_model_trained_on_masked_words_and_the_first_names_of_scale_and_bias(torch):
    module = module_of(torch)
    arrays, config = arrays_of(module), module.config.to_dict()
    first = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    old = {}
    for name, array in arrays.items():
        for now, then in first.items():
            name = name.replace(now, then)
        old[f"bert.{name}"] = array
    old["cls.predictions.bias"] = np.zeros(29, np.float32)
    jax.tree.map(np.testing.assert_array_equal, read_model(config, old)[1], read_model(config, arrays)[1])


BASIC = {"model_type": "bert", **SIZES}


def test_reads_a_config():
    assert arguments_of(BASIC | {"hidden_dropout_prob": 0.2}) == {
        "name": "bert",
        "vocab_size": 29,
        "max_length": 24,
        "num_token_types": 3,
        "num_layers": 3,
        "features": 18,
        "num_heads": 3,
        "hidden": 26,
        "activation": "gelu",
        "epsilon": 1e-3,
        "dropout": 0.2,
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"is_decoder": True}, "is_decoder = True is not supported"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type = 'relative_key' is not supported"),
        ({"vocab_size": 0}, "bert.vocab_size = 0"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(change, words):
    with pytest.raises(ConfigError, match=words):
        arguments_of(BASIC | change)
