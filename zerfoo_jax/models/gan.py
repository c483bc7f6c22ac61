"""Generative adversarial networks (Goodfellow et al., arXiv 1406.2661), convolutional (Radford et al., arXiv 1511.06434).

What is special: nothing says what a good image is but a second network, which learns to tell images from made ones. Both are
one model and train in one step, with the loss `adversarial` and the images as inputs; the targets may be anything.
"""

import jax

from zerfoo_jax.core.checked import checked
from zerfoo_jax.core.fields import PositiveInt, PositiveInts
from zerfoo_jax.core.types import Array, Params, State
from zerfoo_jax.graph.graph_of import graph_of
from zerfoo_jax.layers import AdversarialPair, Dense
from zerfoo_jax.layers.activations.activation import ActivationSpec
from zerfoo_jax.models.autoencoder import Shape, image_decoder, image_encoder


@checked
def gan(
    *,
    image_shape: Shape,
    latent_features: PositiveInt = 64,
    widths: PositiveInts = (32, 64),
    output: ActivationSpec = "linear",
) -> AdversarialPair:
    """Images (batch, *image_shape) to three logits for each (batch, 3); see `AdversarialPair`.

    `widths` are the channels of the discriminator's stages, each of which halves the image, and backwards of the generator's;
    `output` is the generator's last activation, such as sigmoid for pixels of 0 ... 1. `sample_images` draws images. Radford et
    al. train both with Adam, learning rate 2e-4 and b1 0.5.

    >>> from zerfoo_jax.core.layer import check
    >>> from zerfoo_jax.core.types import Spec
    >>> check(gan(image_shape=(8, 8, 1), latent_features=4, widths=(8,)), Spec((2, 8, 8, 1), "float32")).shape
    (2, 3)
    """
    encoder = image_encoder(widths, {"name": "leaky_relu", "negative_slope": 0.2})
    generator = image_decoder(image_shape, widths, output, normalised=True)
    return AdversarialPair(generator, graph_of({"encoder": encoder, "logit": Dense(1)}), latent_features)


def sample_images(model: AdversarialPair, params: Params, state: State, key: Array, count: int) -> Array:
    """That many examples which the generator of a pair makes of z ~ N(0, 1).

    >>> from zerfoo_jax.core.types import Spec
    >>> model = AdversarialPair(Dense(2), Dense(1), 3)
    >>> params, state = model.init(jax.random.key(0), Spec((1, 2), "float32"))
    >>> sample_images(model, params, state, jax.random.key(1), 5).shape
    (5, 2)
    """
    z = jax.random.normal(key, (count, model.latent_features))
    return model.generator.apply(params["generator"], state.get("generator", {}), z)[0]
