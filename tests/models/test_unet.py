import pytest

from tests.support.vision import against_torch_module, parameter_count
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.layer import check
from zerfoo_jax.core.types import Spec
from zerfoo_jax.models import model_from_config, unet
from zerfoo_jax.models.unet import unet_torch_names


@pytest.mark.parametrize(("num_classes", "count"), [(1, 31_037_633), (2, 31_037_698)])
def test_has_as_many_parameters_as_published(num_classes, count):
    assert parameter_count(unet(num_classes=num_classes), 1, 64, 64, 3) == count


@pytest.mark.oracle
@pytest.mark.parametrize(("widths", "size"), [((3, 4, 6), (12, 20)), ((4,), (5, 3))])
def test_agrees_with_torch(torch, widths, size):
    from tests.support.torch_models.unet import UNet

    model = unet(num_classes=3, widths=widths)
    against_torch_module(torch, model, unet_torch_names(model), UNet(2, widths, 3), 2, *size, 2)


def test_at_least_one_stage_is_needed():
    with pytest.raises(ConfigError, match=r"unet.widths = \[\]: .*at least 1 item"):
        model_from_config({"name": "unet", "widths": []}, None)


def test_an_image_that_cannot_be_halved_so_often_is_refused_where_it_does_not_fit():
    with pytest.raises(ShapeError, match="Concatenate along axis -1") as raised:
        check(unet(widths=(2, 4, 8)), Spec((1, 18, 20, 3), "float32"))
    assert raised.value.problems[0].place == "concat1"
