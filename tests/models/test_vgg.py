import pytest

from tests.support.vision import against_torch_module, parameter_count
from zerfoo_jax.models import vgg16
from zerfoo_jax.models.vgg import vgg_torch_names


@pytest.mark.parametrize("size", [224, 64])
def test_has_as_many_parameters_as_torchvisions_for_images_of_any_size(size):
    assert parameter_count(vgg16(), 1, size, size, 3) == 138_357_544


@pytest.mark.oracle
def test_agrees_with_torch(torch):
    from tests.support.torch_models.vgg import VGG16

    model = vgg16(num_classes=7, widths=(3, 4, 5, 6, 7), hidden=9, pooled=3)
    against_torch_module(torch, model, vgg_torch_names(model), VGG16((3, 4, 5, 6, 7), 9, 3, 7), 2, 70, 130, 3, modes=(False,))
