import pytest

from tests.support.vision import against_torch_module, parameter_count
from zerfoo_jax.models import lenet
from zerfoo_jax.models.lenet import lenet_torch_names


@pytest.mark.parametrize(("padding", "size"), [("VALID", 32), ("SAME", 28)])
def test_has_as_many_parameters_as_counted_by_hand(padding, size):
    convolutions, linear = 6 * 26 + 16 * (6 * 25 + 1), 401 * 120 + 121 * 84 + 85 * 10
    assert parameter_count(lenet(padding=padding), 1, size, size, 1) == convolutions + linear == 61_706


@pytest.mark.oracle
@pytest.mark.parametrize(("padding", "size", "activation"), [("VALID", 32, "tanh"), ("SAME", 28, "relu")])
def test_agrees_with_torch(torch, padding, size, activation):
    from tests.support.torch_models.lenet import LeNet

    module = LeNet(7, 2, 2 if padding == "SAME" else 0, getattr(torch, activation))
    model = lenet(num_classes=7, activation=activation, padding=padding)
    against_torch_module(torch, model, lenet_torch_names(model), module, 3, size, size, 2, modes=(False,))
