"""safetensors files that other libraries wrote, read as networks."""

import json

import jax
import numpy as np
import pytest

from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.formats import load
from zerfoo_jax.formats.safetensors import read, write_tensors
from zerfoo_jax.models import gpt2
from zerfoo_jax.models.hugging_face import arguments_of, names_of
from zerfoo_jax.models.state_dict import to_state_dict

CONFIG = {"model_type": "gpt2", "vocab_size": 7, "n_positions": 5, "n_layer": 2, "n_embd": 4, "n_head": 2}


@pytest.mark.oracle
def test_a_torch_network_that_its_own_library_saved(tmp_path, torch):
    from safetensors.torch import save_file

    nn = torch.nn
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    save_file(module.state_dict(), tmp_path / "x.safetensors")
    x = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    expected = module(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(load(tmp_path / "x.safetensors")(x), expected, rtol=1e-5, atol=1e-6)


@pytest.fixture
def hub(tmp_path):
    """A folder as the hub has it, and the parameters in it."""
    model = gpt2(**{key: value for key, value in arguments_of(CONFIG).items() if key != "name"})
    specs = jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct((1, 1), np.int32))
    rng = np.random.default_rng(0)
    params, state = jax.tree.map(lambda s: rng.standard_normal(s.shape).astype(s.dtype), specs)
    write_tensors(to_state_dict(names_of(CONFIG), params, state), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return tmp_path, model, params


def test_a_model_of_the_hub_is_what_its_config_says(hub):
    folder, model, params = hub
    network = read(folder / "model.safetensors")
    assert network.model == model
    jax.tree.map(np.testing.assert_array_equal, network.params, params)


def bad(**changes):
    return json.dumps({**CONFIG, **changes})


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (bad(n_layer=10**9), "but there are"),
        (bad(n_layer="2"), "n"),
        (bad(n_embd=2**31 - 1), "n"),
        (bad(vocab_size=2**31 - 1), "different shape"),
        (bad(vocab_size=10**30), "vocab_size"),
        (bad(n_head=0), "n"),
        (bad(n_head=[2]), "n"),
        (bad(activation_function="os.system"), "not supported"),
        (bad(add_cross_attention=True), "not supported"),
        (bad(model_type=["gpt2"]), "no plain chain"),
        ("[" * 100_000, "plain JSON"),
        ("{", "plain JSON"),
        ("[]", "no plain chain"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(hub, config, said):
    folder, _, _ = hub
    (folder / "config.json").write_text(config)
    with pytest.raises(FormatError, match=said):
        read(folder / "model.safetensors")


def test_a_config_behind_a_link_is_not_read(hub, tmp_path):
    folder, _, _ = hub
    (folder / "config.json").rename(folder / "other.json")
    (folder / "config.json").symlink_to(folder / "other.json")
    with pytest.raises(FormatError, match="symbolic link"):
        read(folder / "model.safetensors")
