"""torch's own modules and ours of the same build: equal outputs, state dicts both ways, through safetensors files."""

import jax
import numpy as np
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import FormatError
from zerfoo_jax.core.types import Spec, spec_of
from zerfoo_jax.formats.safetensors import read_tensors, write_tensors
from zerfoo_jax.formats.torch import from_torch, to_torch
from zerfoo_jax.graph import graph_of
import zerfoo_jax.layers as L

pytestmark = pytest.mark.oracle


def randomised(torch, module):
    """The module with arrays other than at the start, in evaluation mode."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5) if "var" in name else tensor.normal_(0, 0.4)
    return module.eval()


def expect_equal(torch, tmp_path, module, model, x, names=None) -> None:
    """Reads the module's arrays from a file, compares outputs, and loads what is written back into the module."""
    from safetensors.torch import load_file, save_file

    save_file(module.state_dict(), tmp_path / "theirs.safetensors")
    network = from_torch(model, read_tensors(tmp_path / "theirs.safetensors"), spec_of(x), names=names)
    given = torch.tensor(np.moveaxis(x, -1, 1) if x.ndim > 2 and x.dtype == np.float32 else x)
    with torch.no_grad():
        expected = module(given).numpy()
    found = np.asarray(jax.jit(network)(x))
    np.testing.assert_allclose(np.moveaxis(found, -1, 1) if found.ndim > 2 else found, expected, rtol=1e-5, atol=1e-5)
    write_tensors(to_torch(network, names=names), tmp_path / "ours.safetensors", metadata={"format": "pt"})
    written = load_file(tmp_path / "ours.safetensors")
    for name, tensor in module.state_dict().items():
        assert name.endswith("num_batches_tracked") or torch.equal(written[name], tensor)


@pytest.mark.parametrize("axes", [2, *(pytest.param(axes, marks=pytest.mark.slow) for axes in (1, 3))])
def test_a_convolutional_network(torch, tmp_path, axes):
    nn = torch.nn
    conv, pool, norm = (getattr(nn, f"{kind}{axes}d") for kind in ("Conv", "MaxPool", "BatchNorm"))
    size = (9, 8, 7)[:axes]
    flat = 4 * int(np.prod([(n - 2) // 2 for n in size]))
    layers = [conv(2, 4, 3), norm(4), nn.ReLU(), pool(2), nn.Flatten(), nn.Dropout()]
    layers += [nn.Linear(flat, 5), nn.PReLU(), nn.Linear(5, 3)]
    ours = getattr(L, f"Conv{axes}D"), getattr(L, f"MaxPool{axes}D")
    model = L.Sequential(
        (
            *(ours[0](4, 3, padding="VALID"), L.BatchNorm(), L.Activation("relu"), ours[1](2), L.Flatten(), L.Dropout(0.5)),
            *(L.Dense(5), L.PReLU(), L.Dense(3)),
        )
    )
    names = {f"conv{axes}d_0": "0", "batch_norm_0": "1", "dense_0": "6", "p_re_lu_0": "7", "dense_1": "8"}
    expect_equal(torch, tmp_path, randomised(torch, nn.Sequential(*layers)), model, normal(0, 2, *size, 2), names)


def test_a_graph_with_torchs_own_names(torch, tmp_path):
    nn = torch.nn
    module = nn.Sequential()
    for name, layer in {"up": nn.ConvTranspose2d(2, 4, 3, 2), "norm": nn.GroupNorm(2, 4), "out": nn.Conv2d(4, 3, 1)}.items():
        module.add_module(name, layer)
    model = graph_of(
        {"up": L.ConvTranspose2D(4, 3, 2, "VALID"), "norm": L.GroupNorm(2), "out": L.Conv2D(3, 1, padding="VALID")}
    )
    expect_equal(torch, tmp_path, randomised(torch, module), model, normal(0, 2, 4, 5, 2))


def test_tokens_attention_and_norms(torch, tmp_path):
    nn = torch.nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.norm, self.rms = nn.Embedding(7, 8), nn.LayerNorm(8), nn.RMSNorm(8, eps=1e-6)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.out = nn.Linear(8, 3, bias=False)

        def forward(self, ids):
            x = self.norm(self.embed(ids))
            return self.out(self.rms(self.attention(x, x, x)[0])).transpose(1, 2)

    model = graph_of(
        {
            "embed": L.Embedding(7, 8),
            "norm": L.LayerNorm(),
            "attention": L.MultiHeadAttention(2),
            "rms": L.RMSNorm(epsilon=1e-6),
            "out": L.Dense(3, use_bias=False),
        }
    )
    expect_equal(torch, tmp_path, randomised(torch, Net()), model, np.array([[1, 0, 6], [2, 2, 5]]))


def test_what_does_not_correspond_is_listed():
    model = L.Sequential((L.Dense(3), L.GRU(2)))
    with pytest.raises(FormatError, match="does not fill this leaf"):
        from_torch(model, {}, Spec((1, 2, 4), "float32"))
    with pytest.raises(FormatError, match=r"missing: dense_0\.bias of shape \(3,\)"):
        from_torch(L.Sequential((L.Dense(3),)), {"dense_0.weight": np.ones((3, 4), np.float32)}, Spec((1, 4), "float32"))
    with pytest.raises(FormatError, match="have to be given"):
        from_torch(L.Dense(3), {}, Spec((1, 4), "float32"))
