"""Every member of MODELS is built, checked and described from a config section; one example each."""

import jax
import jax.numpy as jnp
import pytest

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph import model_from_spec, model_to_spec
from zerfoo_jax.models import MODELS, model_from_config

TRANSFORMER = {"vocab_size": 7, "num_layers": 2, "features": 8, "num_heads": 2, "hidden": 12}

EXAMPLES = {
    "autoencoder": ({"image_shape": [4, 6, 1], "features": 3, "widths": [2]}, Spec((2, 4, 6, 1), jnp.float32), (2, 4, 6, 1)),
    "bert": ({**TRANSFORMER, "max_length": 9}, Spec((2, 5), jnp.int32), ((2, 5, 8), (2, 8))),
    "densenet121": ({"num_classes": 3, "growth_rate": 2, "depths": [1, 2]}, Spec((2, 32, 32, 3), jnp.float32), (2, 3)),
    "efficientnet_b0": ({"num_classes": 3, "width": 0.25, "depth": 0.3}, Spec((2, 32, 32, 3), jnp.float32), (2, 3)),
    "gan": ({"image_shape": [4, 6, 1], "latent_features": 3, "widths": [2]}, Spec((2, 4, 6, 1), jnp.float32), (2, 3)),
    "generated": ({"features": 3, "seed": 1, "inputs": "sequences"}, Spec((2, 5, 4), jnp.float32), (2, 3)),
    "gpt": ({"vocab_size": 7, "num_layers": 2, "features": 8, "num_heads": 2}, Spec((2, 5), jnp.int32), (2, 5, 7)),
    "gpt2": ({**TRANSFORMER, "max_length": 9}, Spec((2, 5), jnp.int32), (2, 5, 7)),
    "grid": (
        {"rows": 2, "columns": 2, "cell": [{"type": "Dense", "features": 4}], "order": "parallel", "head": ["Flatten"]},
        Spec((2, 5), jnp.float32),
        (2, 8),
    ),
    "lenet": ({"num_classes": 3, "padding": "SAME"}, Spec((2, 28, 28, 1), jnp.float32), (2, 3)),
    "llama": (TRANSFORMER, Spec((2, 5), jnp.int32), (2, 5, 7)),
    "lstm_forecaster": ({"horizon": 3, "features": 4}, Spec((2, 5, 1), jnp.float32), (2, 3)),
    "mlp": ({"features": 3, "hidden": [4, 5]}, Spec((2, 4, 4, 1), jnp.float32), (2, 3)),
    "resnet18": ({"num_classes": 3, "widths": [4, 4, 4, 4], "small_images": True}, Spec((2, 16, 16, 3), jnp.float32), (2, 3)),
    "resnet34": ({"num_classes": 3, "widths": [4, 4, 4, 4], "small_images": True}, Spec((2, 16, 16, 3), jnp.float32), (2, 3)),
    "resnet50": ({"num_classes": 3, "widths": [4, 4, 4, 4], "small_images": True}, Spec((2, 16, 16, 3), jnp.float32), (2, 3)),
    "text_classifier": ({**TRANSFORMER, "num_classes": 3, "encoder": "transformer"}, Spec((2, 5), jnp.int32), (2, 3)),
    "unet": ({"num_classes": 3, "widths": [2, 4]}, Spec((2, 6, 8, 1), jnp.float32), (2, 6, 8, 3)),
    "vae": ({"image_shape": [4, 6, 1], "features": 3, "widths": [2]}, Spec((2, 4, 6, 1), jnp.float32), (2, 4, 6, 1)),
    "vgg16": (
        {"num_classes": 3, "widths": [2, 2, 2, 2, 2], "hidden": 4, "pooled": 1},
        Spec((2, 32, 32, 3), jnp.float32),
        (2, 3),
    ),
    "vit": (
        {"num_classes": 3, "image_size": 8, "patch_size": 4, "num_layers": 2, "features": 6, "num_heads": 2, "hidden": 8},
        Spec((2, 8, 8, 3), jnp.float32),
        (2, 3),
    ),
}
BAD_OPTIONS = {
    "autoencoder": {"features": 0},
    "bert": {"epsilon": -1.0},
    "densenet121": {"growth_rate": 0},
    "efficientnet_b0": {"width": 0.0},
    "gan": {"latent_features": 0},
    "generated": {"inputs": "columns"},
    "gpt": {"num_heads": 0},
    "gpt2": {"output": "logit"},
    "grid": {"order": "diagonal"},
    "lenet": {"padding": "FULL"},
    "llama": {"attention_bias": "some"},
    "lstm_forecaster": {"dropout": 1.0},
    "mlp": {"activation": "rellu"},
    "resnet18": {"num_classes": 0},
    "resnet34": {"num_classes": 0},
    "resnet50": {"num_classes": 0},
    "text_classifier": {"encoder": "lstm"},
    "unet": {"num_classes": 0},
    "vae": {"beta": -1.0},
    "vgg16": {"dropout": 1.0},
    "vit": {"num_heads": 0},
}

every_member = pytest.mark.parametrize("name", sorted(MODELS))


def test_every_member_has_an_example():
    assert sorted(EXAMPLES) == sorted(BAD_OPTIONS) == sorted(MODELS)


@every_member
def test_a_config_section_gives_a_checked_model_that_is_a_value(name):
    options, inputs, output = EXAMPLES[name]
    model, walk = model_from_config({"name": name, **options}, inputs)
    given = walk.visits[-1].output
    assert jax.tree.map(lambda x: x.shape, given) == output and all(x.dtype == jnp.float32 for x in jax.tree.leaves(given))
    assert model == model_from_config({"name": name, **options}, None)[0]
    assert model_from_spec(model_to_spec(model))[0] == model
    params, _ = jax.eval_shape(lambda key: model.init(key, inputs), jax.random.key(0))
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(params))


@every_member
def test_bad_options_are_refused_with_their_place(name):
    options, inputs, _ = EXAMPLES[name]
    ((option, value),) = BAD_OPTIONS[name].items()
    with pytest.raises(ConfigError, match=f"{name}.{option} = {value!r}") as raised:
        model_from_config({"name": name, **options, option: value}, inputs)
    assert raised.value.problems[0].place == f"model.{option}"


@every_member
def test_has_a_docstring_with_an_example(name):
    assert ">>>" in MODELS[name].__doc__


def test_wrong_inputs_are_reported_with_the_node():
    with pytest.raises(ConfigError, match="embedding_0"):
        model_from_config({"name": "gpt"}, Spec((2, 5), jnp.float32))
    with pytest.raises(ConfigError, match="unknown model 'gtp'") as raised:
        model_from_config({"name": "gtp"}, None)
    assert "did you mean 'gpt'" in str(raised.value)


def test_options_that_do_not_go_together_are_refused():
    with pytest.raises(ConfigError, match="num_heads"):
        model_from_config({"name": "gpt", "features": 10, "num_heads": 4}, Spec((2, 5), jnp.int32))
