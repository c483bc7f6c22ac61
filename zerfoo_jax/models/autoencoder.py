"""Convolutional autoencoders, plain and variational: a picture squeezed into a short code, and drawn again from it."""

import jax

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.fields import NonNegativeFloat, PositiveInt, PositiveInts
from zerfoo_jax.core.layer import Layer
from zerfoo_jax.core.types import Array, Params, State
from zerfoo_jax.graph.graph import Graph
from zerfoo_jax.graph.graph_of import graph_of
from zerfoo_jax.layers import Activation, BatchNorm, Conv2D, ConvTranspose2D, Dense, Flatten, GaussianBottleneck, Reshape
from zerfoo_jax.layers.activations.activation import ActivationSpec

Shape = tuple[PositiveInt, PositiveInt, PositiveInt]
"""Height, width and channels of an image."""


@checked
def autoencoder(
    *, image_shape: Shape, features: PositiveInt = 32, widths: PositiveInts = (32, 64), output: ActivationSpec = "linear"
) -> Graph:
    """Images (batch, *image_shape) to their reconstruction, through a code of `features` numbers.

    Each of the `widths` is a convolution that halves the image, and on the way back a transposed one that doubles it; `output`
    is the last activation, such as sigmoid for pixels of 0 ... 1. Raises `ConfigError` for images that cannot be halved so.

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> check(autoencoder(image_shape=(8, 8, 1), features=4, widths=(8,)), Spec((2, 8, 8, 1), "float32")).shape
    (2, 8, 8, 1)
    """
    return _around(Dense(features), image_shape, widths, output)


@checked
def vae(
    *,
    image_shape: Shape,
    features: PositiveInt = 32,
    widths: PositiveInts = (32, 64),
    output: ActivationSpec = "linear",
    beta: NonNegativeFloat = 1.0,
) -> Graph:
    """The variational autoencoder (Kingma & Welling, arXiv 1312.6114): as `autoencoder`, with a random code in training.

    The code's divergence from N(0, 1) is an auxiliary loss, so any loss of the reconstruction trains it. It is weighted for a
    loss that is the mean over an image's values: with `beta` 1 and binary cross-entropy the sum is the negative evidence lower
    bound per value; larger ones weigh the divergence more (Higgins et al., 2017). `sample_images` draws new images.

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> check(vae(image_shape=(8, 8, 1), features=4, widths=(8,)), Spec((2, 8, 8, 1), "float32")).shape
    (2, 8, 8, 1)
    """
    height, width, channels = image_shape
    return _around(GaussianBottleneck(features, beta / (height * width * channels)), image_shape, widths, output)


def sample_images(model: Graph, params: Params, state: State, key: Array, count: int) -> Array:
    """That many images drawn from codes of N(0, 1), by the decoder of a `vae`.

    >>> from zerfoo_jax.core.types import Spec
    >>> model = vae(image_shape=(8, 8, 1), features=4, widths=(8,))
    >>> params, state = model.init(jax.random.key(0), Spec((1, 8, 8, 1), "float32"))
    >>> jax.jit(lambda key: sample_images(model, params, state, key, 3))(jax.random.key(1)).shape
    (3, 8, 8, 1)
    """
    code, decoder = (model.children()[name] for name in ("code", "decoder"))
    assert isinstance(code, GaussianBottleneck)
    codes = jax.random.normal(key, (count, code.features))
    return decoder.apply(params["decoder"], state.get("decoder", {}), codes)[0]


def image_encoder(widths: tuple[int, ...], activation: ActivationSpec = "relu") -> Graph:
    """Images (batch, height, width, channels) to vectors: for each of the `widths` a convolution that halves the image.

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> check(image_encoder((4, 8)), Spec((1, 12, 8, 3), "float32")).shape
    (1, 48)
    """
    nodes: dict[str, Layer] = {}
    for i, features in enumerate(widths):
        nodes[f"down{i}"] = Conv2D(features, 3, 2, ((1, 1), (1, 1)), kernel_init="he_normal")
        nodes[f"activation{i}"] = Activation(activation)
    return graph_of({**nodes, "flatten": Flatten()})


def image_decoder(
    image_shape: Shape, widths: tuple[int, ...], output: ActivationSpec = "linear", *, normalised: bool = False
) -> Graph:
    """Vectors (batch, features) to images (batch, *image_shape): the way of `image_encoder` back, by transposed convolutions.

    `normalised` puts batch normalisation before every relu. Raises `ConfigError` for images that cannot be halved so often.

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> check(image_decoder((12, 8, 3), (4, 8)), Spec((1, 5), "float32")).shape
    (1, 12, 8, 3)
    """
    height, width, channels = image_shape
    scale = 2 ** len(widths)
    if height % scale or width % scale:
        raise ConfigError(
            f"image_shape = {image_shape} cannot be halved {len(widths)} times, once for each of the widths {widths}",
            fix="give fewer widths, or pad the images",
        )
    smallest = (height // scale, width // scale, widths[-1])
    nodes: dict[str, Layer] = {
        "dense": Dense(smallest[0] * smallest[1] * smallest[2], kernel_init="he_normal"),
        "reshape": Reshape(smallest),
    }
    for i, features in enumerate((*reversed(widths[:-1]), channels)):
        nodes |= {f"norm{i}": BatchNorm()} if normalised else {}
        nodes[f"relu{i}"] = Activation("relu")
        nodes[f"up{i}"] = ConvTranspose2D(features, 4, 2, ((1, 1), (1, 1)), kernel_init="he_normal")
    return graph_of({**nodes, "output": Activation(output)})


def _around(code: Layer, image_shape: Shape, widths: tuple[int, ...], output: ActivationSpec) -> Graph:
    decoder = image_decoder(image_shape, widths, output)
    return graph_of({"encoder": image_encoder(widths), "code": code, "decoder": decoder})
