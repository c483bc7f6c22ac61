import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import assert_close, normal, random_variables
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.layers import Activation, AdversarialPair, Dense, Sequential
from zerfoo_jax.losses import adversarial
from zerfoo_jax.models import gan
from zerfoo_jax.models.gan import sample_images
from zerfoo_jax.optim import adam
from zerfoo_jax.training import TrainState, make_train_step

SHAPE = (8, 4, 2)


def test_samples_are_what_the_generator_makes_of_standard_normal_codes(key):
    model = gan(image_shape=SHAPE, latent_features=3, widths=(4,))
    params, state = random_variables(model, normal(0, 2, *SHAPE))
    images = jax.jit(lambda: sample_images(model, params, state, key, 5))()
    z = jax.random.normal(key, (5, 3))
    expected = jax.jit(lambda z: model.generator.apply(params["generator"], state["generator"], z)[0])(z)
    assert images.shape == (5, *SHAPE)
    assert_close(images, expected, 1e-6)


def test_in_training_the_generator_and_the_discriminator_learn_each_their_own(key):
    model, images = gan(image_shape=SHAPE, latent_features=3, widths=(4,)), normal(0, 6, *SHAPE)
    params, state = random_variables(model, images)

    @jax.jit
    def loss_and_gradient(params):
        def loss(params):
            logits, new_state = model.apply(params, state, images, key=key, train=True)
            return adversarial(logits, images).sum(), new_state

        return jax.value_and_grad(loss, has_aux=True)(params)

    (loss, new_state), grads = loss_and_gradient(params)
    assert jnp.isfinite(loss) and jax.tree.map(jnp.shape, new_state) == jax.tree.map(jnp.shape, state)
    assert all(jnp.any(g != 0) for part in ("encoder", "logit") for g in jax.tree.leaves(grads["discriminator"][part]))
    assert jnp.any(grads["generator"]["dense"]["kernel"] != 0) and jnp.any(grads["generator"]["up0"]["kernel"] != 0)


def test_training_moves_the_samples_to_the_data(key):
    """Points around (2, -1): samples begin around (0, 0), and end with the data's mean and spread."""
    points = np.float32([2.0, -1.0]) + 0.5 * normal(0, 256, 2)
    hidden = Activation("leaky_relu")
    model = AdversarialPair(
        Sequential((Dense(16), hidden, Dense(2))), Sequential((Dense(16), hidden, Dense(16), hidden, Dense(1))), 4
    )
    optimizer = adam(2e-3, b1=0.5)
    state = TrainState.create(model, optimizer, key, Spec((256, 2), "float32"))
    step = make_train_step(model, adversarial, optimizer)

    def distance(state):
        samples = np.asarray(sample_images(model, state.params, state.state, key, 500))
        return np.abs(samples.mean(0) - points.mean(0)).max(), samples.std(0)

    start, _ = distance(state)
    for _ in range(1500):
        state, metrics = step(state, {"inputs": points, "targets": points})
    end, spread = distance(state)
    assert start > 1.2 and end < 0.3
    assert np.all(spread > 0.2) and np.all(spread < 1.0)
    assert abs(metrics["loss"] - 3 * np.log(2)) < 0.5


def test_images_that_cannot_be_halved_are_refused():
    with pytest.raises(ConfigError, match=r"image_shape = \(8, 6, 1\) cannot be halved 2 times"):
        gan(image_shape=(8, 6, 1))
