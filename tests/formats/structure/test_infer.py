"""Tensors of torch's own modules become networks with torch's outputs; everything else says what it leaves open."""

import jax
import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError, FormatError
from zerfoo_jax.formats.structure import infer_structure
import zerfoo_jax.layers as L
from zerfoo_jax.models import gpt2
from zerfoo_jax.models.hugging_face import arguments_of, names_of, read_model
from zerfoo_jax.models.state_dict import to_state_dict

pytestmark = pytest.mark.oracle


def arrays(module) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in module.state_dict().items()}


def randomised(torch, module):
    """The module with biases, scales and running statistics other than at the start, in evaluation mode."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5) if "var" in name else tensor.normal_(0, 0.4)
    return module.eval()


def expect_equal(torch, network, module, *inputs: np.ndarray) -> None:
    """The same outputs; images come channels last here, first there."""
    x = inputs[0]
    theirs = torch.tensor(np.moveaxis(x, -1, 1) if x.ndim > 3 else x)
    with torch.no_grad():
        expected = module(theirs).numpy()
    found = jax.jit(network)(x)
    found = np.moveaxis(found, -1, 1) if expected.ndim > 3 else found
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def test_a_multilayer_perceptron(torch):
    nn = torch.nn
    module = randomised(
        torch, nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 4), nn.Tanh(), nn.Linear(4, 2, bias=False))
    )
    proposal = infer_structure(arrays(module))
    assert list(proposal.slots()) == ["1", "3"]
    assert [m.confidence for m in proposal.modules.values()] == ["certain", "certain", "likely"]
    network = proposal.network(fill={"3": L.Activation("tanh")})
    assert network.specs[0].shape == (1, 5)
    expect_equal(torch, network, module, normal(3, 5))


def test_a_network_like_lenet(torch):
    nn = torch.nn
    module = nn.Sequential(
        *(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, (3, 5)), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(16 * 3 * 2, 12), nn.ReLU(), nn.Dropout(), nn.Linear(12, 10)),
    )
    x = normal(2, 20, 20, 1)
    network = infer_structure(arrays(randomised(torch, module))).network(jax.ShapeDtypeStruct(x.shape, x.dtype))
    expect_equal(torch, network, module, x)


def test_the_size_of_a_square_image_follows_from_the_layer_that_takes_it_flat(torch):
    nn = torch.nn
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 6 * 6, 2))
    network = infer_structure(arrays(randomised(torch, module))).network()
    assert network.specs[0].shape[1:] == (14, 14, 3)
    expect_equal(torch, network, module, normal(2, 14, 14, 3))


def test_numbers_sort_as_numbers_and_groups_follow_from_the_channels(torch):
    nn = torch.nn
    layers = [nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 8, 3, groups=4), nn.BatchNorm2d(8), nn.ReLU()]
    layers += [nn.Conv2d(8, 8, 1), nn.ReLU(), nn.Conv2d(8, 6, 1), nn.ReLU(), nn.Conv2d(6, 5, 1), nn.ReLU(), nn.Conv2d(5, 3, 1)]
    module = randomised(torch, nn.Sequential(*layers))
    given = arrays(module)
    network = infer_structure(dict(sorted(given.items()))).network(jax.ShapeDtypeStruct((2, 7, 6, 2), np.float32))
    assert network.model.children()["2"].groups == 4
    # The numbers leave two places open where there are a norm and a ReLU, and one where there is a ReLU.
    expect_equal(torch, network, module, normal(2, 7, 6, 2))


def test_named_modules_are_ordered_by_their_widths(torch):
    nn = torch.nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
            self.conv2, self.bn2 = nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8)
            self.a_head = nn.Linear(8 * 5 * 5, 6)
            self.out = nn.Linear(6, 3)

        def forward(self, x):
            x = torch.relu(self.bn1(self.conv1(x)))
            x = torch.relu(self.bn2(self.conv2(x))).flatten(1)
            return self.out(torch.tanh(self.a_head(x)))

    module = randomised(torch, Net())
    proposal = infer_structure(arrays(module))
    assert "after a_head" in proposal.slots()
    network = proposal.network(fill={"after a_head": L.Activation("tanh")})
    assert network.specs[0].shape[1:] == (9, 9, 1)
    expect_equal(torch, network, module, normal(2, 9, 9, 1))


def test_a_slot_can_hold_several_layers_or_none_and_a_layer_other_options(torch):
    nn = torch.nn
    module = randomised(torch, nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, stride=2), nn.Identity(), nn.Conv2d(4, 2, 1)))
    proposal = infer_structure(arrays(module))
    conv = L.Conv2D(4, 3, 2, padding=((1, 1), (1, 1)))
    network = proposal.network(jax.ShapeDtypeStruct((1, 6, 8, 1), np.float32), fill={"0": conv, "1": None})
    expect_equal(torch, network, module, normal(2, 6, 8, 1))


DEEP = {"num_layers": 2, "bidirectional": True}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *(("RNN", {}), ("GRU", DEEP), ("LSTM", {"bias": False})),
        *(pytest.param(*one, marks=pytest.mark.slow) for one in (("RNN", DEEP), ("GRU", {}), ("LSTM", {}), ("LSTM", DEEP))),
    ],
)
def test_recurrent_layers(torch, kind, options):
    module = randomised(torch, getattr(torch.nn, kind)(3, 4, batch_first=True, **options))
    network = infer_structure(arrays(module)).network(jax.ShapeDtypeStruct((2, 5, 3), np.float32))
    expect_equal(torch, network, lambda x: module(x)[0], normal(2, 5, 3))


def test_fused_attention(torch):
    module = randomised(torch, torch.nn.MultiheadAttention(8, 1, batch_first=True))
    proposal = infer_structure(arrays(module))
    assert ": the number of heads" in "".join(proposal.open)
    network = proposal.network(jax.ShapeDtypeStruct((2, 5, 8), np.float32))
    expect_equal(torch, network, lambda x: module(x, x, x)[0], normal(2, 5, 8))


def test_a_block_of_a_language_model_is_taken_apart():
    shapes = {
        "x.self_attn.q_proj.weight": (128, 64),
        "x.self_attn.k_proj.weight": (64, 64),
        "x.self_attn.v_proj.weight": (64, 64),
        "x.self_attn.o_proj.weight": (64, 128),
        "x.self_attn.q_norm.weight": (32,),
        "x.self_attn.k_norm.weight": (32,),
        "x.mlp.gate_proj.weight": (96, 64),
        "x.mlp.up_proj.weight": (96, 64),
        "x.mlp.down_proj.weight": (64, 96),
        "x.norm.weight": (64,),
        "embed.weight": (11, 64),
    }
    proposal = infer_structure({name: np.zeros(shape, np.float32) for name, shape in shapes.items()})
    attention = proposal.modules["x.self_attn"].layer
    assert (attention.num_heads, attention.num_kv_heads, attention.head_dim, attention.use_bias) == (4, 2, 32, False)
    assert proposal.modules["x.mlp"].layer == L.FeedForward(96, "silu", gated=True, use_bias=False)
    assert isinstance(proposal.modules["x.norm"].layer, L.RMSNorm)
    assert proposal.modules["embed"].layer == L.Embedding(11, 64)
    assert proposal.unknown == {} and all(module.why for module in proposal.modules.values())


def test_looms_tensors_are_read_with_the_label_that_they_have():
    rng = np.random.default_rng(0)
    kernel, bias = rng.standard_normal((3, 2)).astype(np.float32), rng.standard_normal(2).astype(np.float32)
    tensors = {"layers.0.weight": kernel.reshape(2, 3), "layers.0.bias": bias}  # declared (out, in), laid out (in, out)
    x = rng.standard_normal((4, 3)).astype(np.float32)
    network = infer_structure(tensors, compatibility="loom").network()
    np.testing.assert_allclose(network(x), x @ kernel + bias, rtol=1e-5, atol=1e-6)


def test_products_that_loom_writes_as_one_row_are_as_wide_as_their_bias():
    rng = np.random.default_rng(0)
    arrays = {"gate": (4, 3), "up": (4, 3), "down": (3, 4)}
    arrays = {name: (rng.standard_normal(shape), rng.standard_normal(shape[1])) for name, shape in arrays.items()}
    tensors = {f"layers.0.{name}_weight": kernel.ravel().astype(np.float32) for name, (kernel, _) in arrays.items()}
    tensors |= {f"layers.0.{name}_bias": bias.astype(np.float32) for name, (_, bias) in arrays.items()}
    x = rng.standard_normal((1, 2, 4))
    gate, up = (x @ kernel + bias for kernel, bias in (arrays["gate"], arrays["up"]))
    wanted = (gate / (1 + np.exp(-gate)) * up) @ arrays["down"][0] + arrays["down"][1]
    network = infer_structure(tensors).network()
    np.testing.assert_allclose(network(x.astype(np.float32)), wanted, rtol=1e-5, atol=1e-5)

    rows = {f"{part}_weight": (32,) for part in "qo"} | {"q_bias": (8,), "o_bias": (4,)}
    rows |= {f"{part}_{name}": shape for part in "kv" for name, shape in (("weight", (16,)), ("bias", (4,)))}
    layer = infer_structure({f"layers.0.{name}": np.ones(shape) for name, shape in rows.items()}).modules["layers.0"].layer
    assert isinstance(layer, L.MultiHeadAttention) and layer.num_kv_heads == layer.num_heads // 2
    kernel = rng.standard_normal((3, 2)).astype(np.float32)
    dense = infer_structure({"layer_0.kernel": kernel.ravel(), "layer_0.bias": np.zeros(2, np.float32)}).network()
    np.testing.assert_array_equal(dense.params["layer_0"]["kernel"], kernel)


@pytest.mark.parametrize(("name", "kind"), [("emb", L.Embedding), ("src_emb", L.Embedding), ("member", L.Dense)])
def test_a_table_is_an_embedding_by_its_name(name, kind):
    assert type(infer_structure({f"{name}.weight": np.ones((7, 5))}).modules[name].layer) is kind


def test_looms_tables_without_a_bias_are_embeddings():
    table, shapes = np.arange(40, dtype=np.float32).reshape(10, 4), {"layers.1.weight": (2, 4), "layers.1.bias": (2,)}
    tensors = {"layers.0.weight": table} | {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    network = infer_structure(tensors, compatibility="loom").network()
    np.testing.assert_array_equal(network(np.array([[3]])), table[None, [3]].sum(-1, keepdims=True).repeat(2, -1) + 1)


@pytest.mark.parametrize(
    ("shapes", "kind"),
    [
        ({"q_weight": (8, 8), "k_weight": (8, 4), "v_weight": (8, 4), "o_weight": (8, 8)}, L.MultiHeadAttention),
        ({"gate_weight": (4, 6), "up_weight": (4, 6), "down_weight": (6, 4)}, L.FeedForward),
        ({"weight_ih": (5, 3), "weight_hh": (5, 5), "bias_h": (5,)}, L.SimpleRNN),
        ({"gamma": (5,), "beta": (5,)}, L.LayerNorm),
        ({"gamma": (5,)}, L.RMSNorm),
        ({f"{p}_{g}": s for g in "ifgo" for p, s in (("weight_ih", (5, 3)), ("weight_hh", (5, 5)), ("bias", (5,)))}, L.LSTM),
        ({"kernel": (3, 3, 2, 5), "bias": (5,)}, L.Conv2D),
        ({"kernel": (3, 5)}, L.Dense),
        ({"scale": (5,), "bias": (5,)}, L.LayerNorm),
        ({"embedding": (7, 5)}, L.Embedding),
        ({"weight": (4, 6, 3), "bias": (6,)}, L.ConvTranspose1D),
        ({"weight": (4, 6), "bias": (6,)}, L.Dense),
        ({"weight": (1,)}, L.PReLU),
    ],
)
def test_one_layer_by_its_names_and_shapes(shapes, kind):
    proposal = infer_structure({f"layers.0.{name}": np.ones(shape, np.float32) for name, shape in shapes.items()})
    layer = proposal.modules["layers.0"].layer
    assert type(layer) is kind and not proposal.unknown
    input_shape = {L.Conv2D: (1, 5, 5, 2), L.ConvTranspose1D: (1, 5, 4), L.PReLU: (1, 3)}.get(kind)
    input_shape = input_shape or (1, 4, proposal.modules["layers.0"].takes or 1)
    spec = jax.ShapeDtypeStruct(input_shape, np.int32 if kind is L.Embedding else np.float32)
    wanted = jax.eval_shape(layer.init, jax.random.key(0), spec)[0]
    assert jax.tree.map(np.shape, proposal.modules["layers.0"].params) == jax.tree.map(np.shape, wanted)


def test_a_family_of_the_hub_is_known_by_its_tensors():
    config = {"model_type": "gpt2", "vocab_size": 7, "n_positions": 5, "n_layer": 2, "n_embd": 4, "n_head": 2}
    model = gpt2(**{key: value for key, value in arguments_of(config).items() if key != "name"})
    params, state = jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct((1, 1), np.int32))
    params = jax.tree.map(lambda s: np.full(s.shape, 0.5, s.dtype), params)
    tensors = to_state_dict(names_of(config), params, state)
    family = infer_structure(tensors).family
    assert family.config == {**{k: v for k, v in config.items() if k != "n_head"}, "n_inner": 16} and "n_head" in family.open
    assert read_model({**family.config, "n_head": 2}, tensors)[0] == model
    with pytest.raises(FormatError, match=r"config\.json"):
        infer_structure(tensors).network()


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ({"a.weight": (3, 2), "b.weight": (5, 4)}, "no plain chain"),
        ({"a.weight": (3, 2), "a.mystery": (3,)}, "no plain chain"),
        ({}, "no plain chain"),
        ({"a": (2,), "a.b": (2,)}, "an array"),
        ({"0.weight": (4, 1, 3, 3), "2.weight": (3, 37 * 4)}, "no square image"),
    ],
)
def test_what_is_no_chain_is_said_so(shapes, said):
    with pytest.raises(FormatError, match=said):
        infer_structure({name: np.ones(shape, np.float32) for name, shape in shapes.items()}).network()


def test_a_place_that_there_is_not_is_named():
    with pytest.raises(ConfigError, match="no place '7' to fill"):
        infer_structure({"0.weight": np.ones((3, 2)), "0.bias": np.ones(3)}).network(fill={"7": None})


WORDS = (
    *("weight", "bias", "running_mean", "running_var", "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "gamma"),
    *("in_proj_weight", "out_proj.weight", "q_proj.weight", "k_proj.weight", "v_proj.weight", "o_proj.weight", "kernel"),
    *("q_weight", "k_weight", "v_weight", "o_weight", "weight_ih", "weight_hh", "bias_h", "scale", "embedding"),
)


def test_names_of_layers_with_any_shapes_raise_nothing_foreign():
    rng = np.random.default_rng(0)
    for _ in range(1000):
        names = rng.choice(WORDS, rng.integers(1, 6), replace=False)
        tensors = {f"0.{name}": np.zeros(rng.integers(0, 5, rng.integers(0, 6)), np.float32) for name in names}
        infer_structure(tensors)
