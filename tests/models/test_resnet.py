import pytest

from tests.support.vision import against_torch_module, parameter_count
from zerfoo_jax.models import resnet18, resnet34, resnet50
from zerfoo_jax.models.resnet import resnet_torch_names


@pytest.mark.parametrize(("build", "count"), [(resnet18, 11_689_512), (resnet34, 21_797_672), (resnet50, 25_557_032)])
def test_has_as_many_parameters_as_torchvisions(build, count):
    assert parameter_count(build(), 1, 224, 224, 3) == count


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("build", "block", "depths", "small_images"),
    [(resnet18, "Basic", (2, 2, 2, 2), True), (resnet50, "Bottleneck", (3, 4, 6, 3), False)],
)
def test_agrees_with_torch(torch, build, block, depths, small_images):
    from tests.support.torch_models import resnet

    module = resnet.ResNet(getattr(resnet, block), depths, (4, 6, 8, 10), 7, small_images)
    model = build(num_classes=7, widths=(4, 6, 8, 10), small_images=small_images)
    size = (19, 17) if small_images else (70, 67)
    against_torch_module(torch, model, resnet_torch_names(model), module, 3, *size, 3)
