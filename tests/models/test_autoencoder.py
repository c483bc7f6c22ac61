import jax
import numpy as np
import pytest

from tests.support.layers import assert_close, normal, random_variables
from tests.support.vision import against_torch_module
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.graph.graph_of import graph_of
from zerfoo_jax.layers import Activation, Dense, Flatten, GaussianBottleneck, Reshape, Sequential
from zerfoo_jax.losses import mse
from zerfoo_jax.models import autoencoder, vae
from zerfoo_jax.models.autoencoder import sample_images
from zerfoo_jax.models.state_dict import LINEAR
from zerfoo_jax.models.torch_names import kernel_and_bias, torch_names
from zerfoo_jax.optim import adam
from zerfoo_jax.training import TrainState, make_train_step

SHAPE = (8, 12, 2)


@pytest.mark.oracle
@pytest.mark.parametrize("widths", [(3, 4), (5,)])
def test_autoencoder_agrees_with_torch(torch, widths):
    from tests.support.torch_models.autoencoder import Autoencoder

    model = autoencoder(image_shape=SHAPE, features=6, widths=widths, output="sigmoid")
    against_torch_module(torch, model, torch_names(model), Autoencoder(SHAPE, 6, widths), 3, *SHAPE, modes=(False,))


@pytest.mark.oracle
def test_outside_training_vae_agrees_with_torch(torch):
    from tests.support.torch_models.autoencoder import Autoencoder

    model = vae(image_shape=SHAPE, features=6, widths=(3, 4), output="sigmoid")
    names = torch_names(model)
    for part in ("mean", "log_variance"):
        names |= kernel_and_bias(f"code.{part}", f"code/{part}", LINEAR)
    module = Autoencoder(SHAPE, 6, (3, 4), variational=True)
    against_torch_module(torch, model, names, module, 3, *SHAPE, modes=(False,))


def test_in_training_vae_decodes_a_draw_and_weighs_the_divergence_per_value(key):
    model, x = vae(image_shape=SHAPE, features=3, widths=(4,), beta=2.0), normal(0, 5, *SHAPE)
    params, state = random_variables(model, x, scale=0.1)
    y, new = jax.jit(lambda key: model.apply(params, state, x, key=key, train=True))(key)
    hidden = model.children()["encoder"].apply(params["encoder"], {}, x)[0]
    code = jax.tree.map(np.asarray, params["code"])
    mean, log_variance = (np.asarray(hidden) @ code[n]["kernel"] + code[n]["bias"] for n in ("mean", "log_variance"))
    divergence = 0.5 * (mean**2 + np.exp(log_variance) - log_variance - 1).sum(-1).mean()
    assert_close(new["code"]["auxiliary_loss"], 2 * divergence / np.prod(SHAPE), 1e-5)
    assert not np.allclose(y, model.apply(params, state, x)[0], atol=1e-3)


def test_samples_are_decoded_standard_normal_codes(key):
    model = vae(image_shape=SHAPE, features=3, widths=(4,))
    params, state = random_variables(model, normal(0, 1, *SHAPE))
    images = sample_images(model, params, state, key, 5)
    expected = model.children()["decoder"].apply(params["decoder"], {}, jax.random.normal(key, (5, 3)))[0]
    assert images.shape == (5, *SHAPE)
    assert_close(images, expected, 1e-6)


def test_a_trained_vae_draws_what_it_has_seen(key):
    """Two kinds of image, one bright on the left and one on the right: samples are of the one or the other."""
    left = np.zeros((1, 4, 4, 1), np.float32)
    left[:, :, :2] = 1
    images = np.concatenate([left, 1 - left] * 8)
    model = graph_of(
        {
            "encoder": Sequential((Flatten(), Dense(8), Activation("relu"))),
            "code": GaussianBottleneck(2, 0.1 / 16),
            "decoder": Sequential((Dense(8), Activation("relu"), Dense(16), Activation("sigmoid"), Reshape((4, 4, 1)))),
        }
    )
    state = TrainState.create(model, adam(3e-2), key, Spec(images.shape, "float32"))
    step = make_train_step(model, mse, adam(3e-2))
    for _ in range(150):
        state, metrics = step(state, {"inputs": images, "targets": images})
    assert metrics["loss"] < 0.02
    samples = np.asarray(jax.jit(lambda: sample_images(model, state.params, state.state, key, 64))())
    distances = np.stack([((samples - kind) ** 2).mean((1, 2, 3)) for kind in (left, 1 - left)])
    assert (distances.min(0) < 0.1).mean() > 0.7
    assert set(distances.argmin(0)) == {0, 1}


def test_images_that_cannot_be_halved_are_refused():
    with pytest.raises(ConfigError, match=r"image_shape = \(8, 6, 1\) cannot be halved 2 times"):
        autoencoder(image_shape=(8, 6, 1))
