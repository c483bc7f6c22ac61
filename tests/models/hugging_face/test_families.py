"""The published sizes of the models, read from the library's own defaults."""

import pytest

from tests.support.vision import parameter_count
from zerfoo_jax.core.spec import bind
from zerfoo_jax.models import MODELS
from zerfoo_jax.models.hugging_face import FAMILIES, arguments_of

PUBLISHED = {
    "bert": ("BertConfig", 109_482_240),
    "gemma": ("GemmaConfig", 8_537_680_896),
    "gpt2": ("GPT2Config", 124_439_808),
    "llama": ("LlamaConfig", 6_738_415_616),
    "mistral": ("MistralConfig", 7_241_732_096),
}


@pytest.mark.oracle
@pytest.mark.parametrize("kind", PUBLISHED)
def test_the_librarys_defaults_are_the_published_models(torch, kind):
    name, count = PUBLISHED[kind]
    config = getattr(pytest.importorskip("transformers"), name)().to_dict()
    model = bind(MODELS, arguments_of(config), "model")()
    assert parameter_count(model, 1, 8, dtype="int32") == count


def test_every_family_is_one_of_our_models():
    assert all(MODELS[family.name] is family.build for family in FAMILIES.values())
