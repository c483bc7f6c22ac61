"""Every architecture small, and some as published, as outlines that several tests share."""

from functools import cache

from tests.models.test_models import EXAMPLES
from zerfoo_jax.graph.views.outline import Outline, outline
from zerfoo_jax.models import MODELS, TYPICAL_INPUTS, model_from_config

PUBLISHED = ("resnet50", "densenet121", "gpt2")
ALL = (*sorted(EXAMPLES), *(f"published {name}" for name in PUBLISHED))


@cache
def outline_of(name: str) -> Outline:
    """The outline of an architecture with small options or, as `published ...`, with none."""
    kind, _, published = name.partition(" ")
    if published:
        return outline(MODELS[published](), *TYPICAL_INPUTS[published], name=published)
    options, inputs, _ = EXAMPLES[kind]
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    return outline(model_from_config({"name": kind, **options}, None)[0], *given, name=kind)
