"""VGG (Simonyan & Zisserman, arXiv 1409.1556), with torchvision's names.

What is special: nothing but 3x3 convolutions and pooling, then three wide fully connected layers that hold nine tenths of the
parameters.
"""

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import PositiveInt, Probability
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.graph_of import graph_of
from zerfoo_jax.layers import Activation, AdaptiveAvgPool2D, Conv2D, Dense, Dropout, Flatten, MaxPool2D
from zerfoo_jax.models.state_dict import Names, Tensor, after_flatten
from zerfoo_jax.models.torch_names import torch_names

DEPTHS = (2, 2, 3, 3, 3)
Widths = tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt, PositiveInt]


@checked
def vgg16(
    *,
    num_classes: PositiveInt = 1000,
    widths: Widths = (64, 128, 256, 512, 512),
    hidden: PositiveInt = 4096,
    pooled: PositiveInt = 7,
    dropout: Probability = 0.5,
) -> Graph:
    """Images (batch, height, width, channels) to logits (batch, num_classes): 16 layers.

    `widths` are the channels of the five stages, each of which ends by halving the image; `pooled` is the size that images of
    whatever size have before the fully connected layers, `hidden` the width of these. At least 32x32 pixels are needed; for
    images of that size `pooled` 1 fits.

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> check(vgg16(num_classes=10, widths=(4, 4, 8, 8, 8), hidden=16, pooled=1), Spec((1, 32, 32, 3), "float32")).shape
    (1, 10)
    """
    relu = Activation("relu")
    features: list[Layer] = []
    for width, depth in zip(widths, DEPTHS, strict=True):
        features += [Conv2D(width, 3, kernel_init="he_normal"), relu] * depth + [MaxPool2D(2)]
    fully_connected = [Dense(hidden, kernel_init="he_normal"), relu, Dropout(dropout)] * 2
    return graph_of(
        {
            "features": _numbered(features),
            "avgpool": AdaptiveAvgPool2D(pooled),
            "flatten": Flatten(),
            "classifier": _numbered([*fully_connected, Dense(num_classes)]),
        }
    )


def vgg_torch_names(model: Graph) -> Names:
    """torchvision's names."""
    children = model.children()
    pool, features = children["avgpool"], children["features"]
    assert isinstance(pool, AdaptiveAvgPool2D) and isinstance(pool.output_size, int) and isinstance(features, Graph)
    width = [layer.features for layer in features.children().values() if isinstance(layer, Conv2D)][-1]
    first = Tensor(("params/classifier/0/kernel",), after_flatten(pool.output_size, pool.output_size, width))
    return {**torch_names(model), "classifier.0.weight": first}


def _numbered(layers: list[Layer]) -> Graph:
    """One after another, under the numbers that they have in a `torch.nn.Sequential`."""
    return graph_of({str(i): layer for i, layer in enumerate(layers)})
