"""LeNet-5 (LeCun et al., "Gradient-based learning applied to document recognition", 1998)."""

from typing import Literal

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import PositiveInt
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.graph_of import graph_of
from zerfoo_jax.layers import Activation, AvgPool2D, Conv2D, Dense, Flatten
from zerfoo_jax.layers.activations.activation import ActivationSpec
from zerfoo_jax.models.state_dict import Names, Tensor, after_flatten
from zerfoo_jax.models.torch_names import torch_names


@checked
def lenet(
    *, num_classes: PositiveInt = 10, activation: ActivationSpec = "tanh", padding: Literal["SAME", "VALID"] = "VALID"
) -> Graph:
    """Images (batch, 32, 32, channels) to logits (batch, num_classes).

    Two 5x5 convolutions, each followed by pooling, then three fully connected layers. With `padding` SAME the first
    convolution keeps the size, and images of 28x28 pixels go in. Unlike in the paper the pooling has no weights of its own, the
    second convolution sees all channels, and the output is a linear layer.

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> check(lenet(padding="SAME"), Spec((1, 28, 28, 1), "float32")).shape
    (1, 10)
    """
    apply, pool = Activation(activation), AvgPool2D(2)
    return graph_of(
        {
            "conv1": Conv2D(6, 5, padding=padding),
            "activation1": apply,
            "pool1": pool,
            "conv2": Conv2D(16, 5, padding="VALID"),
            "activation2": apply,
            "pool2": pool,
            "flatten": Flatten(),
            "fc1": Dense(120),
            "activation3": apply,
            "fc2": Dense(84),
            "activation4": apply,
            "fc3": Dense(num_classes),
        }
    )


def lenet_torch_names(model: Graph) -> Names:
    """The names of a torch module with `conv1`, `conv2`, `fc1`, `fc2` and `fc3`."""
    names = torch_names(model)
    return {**names, "fc1.weight": Tensor(("params/fc1/kernel",), after_flatten(5, 5, 16))}
