import pytest

from tests.support.vision import against_torch_module, parameter_count
from zerfoo_jax.models import densenet121
from zerfoo_jax.models.densenet import densenet_torch_names


def test_has_as_many_parameters_as_torchvisions():
    assert parameter_count(densenet121(), 1, 224, 224, 3) == 7_978_856


@pytest.mark.oracle
@pytest.mark.parametrize(("depths", "small_images", "size"), [((3, 2, 2), False, (70, 67)), ((2, 3), True, (9, 8))])
def test_agrees_with_torch(torch, depths, small_images, size):
    from tests.support.torch_models.densenet import DenseNet

    module = DenseNet(3, depths, 7, small_images)
    model = densenet121(num_classes=7, growth_rate=3, depths=depths, small_images=small_images)
    against_torch_module(torch, model, densenet_torch_names(model), module, 3, *size, 3)
