"""Named architectures: functions of plain arguments that give a graph. Adding one: a function in its file, and a line here."""

from collections.abc import Callable, Mapping
from typing import Any

from zerfoo_jax.core.errors import ConfigError, Problem
from zerfoo_jax.core.layer import Layer, Walk, walk
from zerfoo_jax.core.spec import Table, bind, member, with_layers
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph import TABLE, model_from_spec
from zerfoo_jax.models.autoencoder import autoencoder as autoencoder
from zerfoo_jax.models.autoencoder import vae as vae
from zerfoo_jax.models.bert import bert as bert
from zerfoo_jax.models.densenet import densenet121 as densenet121
from zerfoo_jax.models.efficientnet import efficientnet_b0 as efficientnet_b0
from zerfoo_jax.models.gan import gan as gan
from zerfoo_jax.models.generated import generated as generated
from zerfoo_jax.models.gpt import gpt as gpt
from zerfoo_jax.models.gpt2 import gpt2 as gpt2
from zerfoo_jax.models.grid import grid as grid
from zerfoo_jax.models.lenet import lenet as lenet
from zerfoo_jax.models.llama import llama as llama
from zerfoo_jax.models.lstm_forecaster import lstm_forecaster as lstm_forecaster
from zerfoo_jax.models.mlp import mlp as mlp
from zerfoo_jax.models.resnet import resnet18 as resnet18
from zerfoo_jax.models.resnet import resnet34 as resnet34
from zerfoo_jax.models.resnet import resnet50 as resnet50
from zerfoo_jax.models.text_classifier import text_classifier as text_classifier
from zerfoo_jax.models.unet import unet as unet
from zerfoo_jax.models.vgg import vgg16 as vgg16
from zerfoo_jax.models.vit import vit as vit

MODELS: dict[str, Callable[..., Layer]] = {
    "autoencoder": autoencoder,
    "bert": bert,
    "densenet121": densenet121,
    "efficientnet_b0": efficientnet_b0,
    "gan": gan,
    "generated": generated,
    "gpt": gpt,
    "gpt2": gpt2,
    "grid": grid,
    "lenet": lenet,
    "llama": llama,
    "lstm_forecaster": lstm_forecaster,
    "mlp": mlp,
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "text_classifier": text_classifier,
    "unet": unet,
    "vae": vae,
    "vgg16": vgg16,
    "vit": vit,
}

_IMAGE, _DIGIT, _TOKENS = Spec((1, 224, 224, 3), "float32"), Spec((1, 28, 28, 1), "float32"), Spec((1, 128), "int32")

TYPICAL_INPUTS: dict[str, tuple[Spec, ...]] = {
    "bert": (_TOKENS,),
    "densenet121": (_IMAGE,),
    "efficientnet_b0": (_IMAGE,),
    "gpt": (_TOKENS,),
    "gpt2": (_TOKENS,),
    "lenet": (_DIGIT,),
    "llama": (_TOKENS,),
    "lstm_forecaster": (Spec((1, 24, 1), "float32"),),
    "mlp": (_DIGIT,),
    "resnet18": (_IMAGE,),
    "resnet34": (_IMAGE,),
    "resnet50": (_IMAGE,),
    "text_classifier": (_TOKENS,),
    "unet": (Spec((1, 64, 64, 1), "float32"),),
    "vgg16": (_IMAGE,),
    "vit": (_IMAGE,),
}
"""Inputs to look at an architecture with, where no data says what it takes. The others depend on their options."""


def model_from_config(
    section: Mapping[str, Any], inputs: Spec | None, place: str = "model", table: Table = TABLE
) -> tuple[Layer, Walk]:
    """The model that a config's `model` section describes, and the walk over it on inputs of that shape.

    `{name: gpt, ...}` is an architecture with its arguments, `{nodes: ...}` a graph, `{type: Sequential, ...}` a layer of
    `table`. Raises one `ConfigError` with every problem; without `inputs` (the data could not be read) shapes are not checked.
    """
    if "name" not in section:
        return model_from_spec(section, *([inputs] if inputs else []), place=place, table=table)
    problems: list[Problem] = []
    try:
        architecture = member(MODELS, section["name"], "model")
        model = bind(MODELS, with_layers(architecture, section, table, place, problems), "model")()
    except ConfigError as error:
        problems += [Problem(p.cause, f"{place}.{p.place}" if p.place else place, p.fix) for p in error.problems]
        raise ConfigError(problems) from error
    if problems:
        raise ConfigError(problems)
    result = walk(model, inputs) if inputs else Walk()
    if result.problems:
        raise ConfigError([problem.under(place) for problem in result.problems])
    return model, result
