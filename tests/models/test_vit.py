import pytest

from tests.support.vision import against_torch_module, parameter_count
from zerfoo_jax.models import vit
from zerfoo_jax.models.vit import vit_hugging_face_names, vit_torch_names

SMALL = {
    "num_classes": 7,
    "image_size": 12,
    "patch_size": 4,
    "num_layers": 3,
    "features": 12,
    "num_heads": 3,
    "hidden": 20,
}


def test_has_as_many_parameters_as_torchvisions():
    assert parameter_count(vit(), 1, 224, 224, 3) == 86_567_656


@pytest.mark.oracle
def test_agrees_with_torch(torch):
    from tests.support.torch_models.vit import ViT

    model = vit(**SMALL)
    against_torch_module(torch, model, vit_torch_names(model), ViT(7, 12, 4, 3, 12, 3, 20), 3, 12, 12, 3)


@pytest.mark.oracle
def test_agrees_with_transformers(torch, tmp_path):
    transformers = pytest.importorskip("transformers", reason="the oracle extra is not installed")
    from safetensors.numpy import load_file

    config = transformers.ViTConfig(
        image_size=12,
        patch_size=4,
        num_hidden_layers=3,
        hidden_size=12,
        num_attention_heads=3,
        intermediate_size=20,
        num_labels=7,
        layer_norm_eps=1e-3,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    module, model = transformers.ViTForImageClassification(config), vit(**SMALL, epsilon=1e-3)

    def arrays_of(module):  # the names of files, which the module's own need not be
        module.save_pretrained(tmp_path)
        return load_file(tmp_path / "model.safetensors")

    plain = module.forward
    module.forward = lambda x: plain(x).logits
    names = vit_hugging_face_names(model)
    against_torch_module(torch, model, names, module, 3, 12, 12, 3, modes=(False,), arrays_of=arrays_of)
