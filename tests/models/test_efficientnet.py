import pytest

from tests.support.vision import against_torch_module, parameter_count
from zerfoo_jax.layers import StochasticDepth
from zerfoo_jax.models import efficientnet_b0
from zerfoo_jax.models.efficientnet import efficientnet_torch_names


@pytest.mark.parametrize(("width", "depth", "count"), [(1.0, 1.0, 5_288_548), (1.2, 1.4, 12_233_232)])
def test_b0_and_b3_have_as_many_parameters_as_torchvisions(width, depth, count):
    assert parameter_count(efficientnet_b0(width=width, depth=depth), 1, 224, 224, 3) == count


@pytest.mark.oracle
def test_agrees_with_torch(torch):
    from tests.support.torch_models.efficientnet import EfficientNet

    model = efficientnet_b0(num_classes=7, width=0.3, depth=0.3, dropout=0.0, stochastic_depth=0.0)
    against_torch_module(torch, model, efficientnet_torch_names(model), EfficientNet(0.3, 0.3, 7), 3, 65, 70, 3)


def test_blocks_are_left_out_ever_more_often():
    features = efficientnet_b0(stochastic_depth=0.32).children()["features"].children()
    blocks = [block for stage in list(features.values())[1:-1] for block in stage.children().values()]
    rates = {i: block.children().get("stochastic_depth") for i, block in enumerate(blocks)}
    assert len(blocks) == 16
    assert {i: layer for i, layer in rates.items() if layer} == {
        i: StochasticDepth(0.32 * i / 16) for i in (2, 4, 6, 7, 9, 10, 12, 13, 14)
    }
