import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import assert_close, normal
from zerfoo_jax.core.errors import CheckpointError
from zerfoo_jax.core.types import Spec
from zerfoo_jax.layers import BatchNorm, Conv2D, Dense, Flatten, GaussianBottleneck, MultiHeadAttention, Sequential, Stack
from zerfoo_jax.models.state_dict import (
    AS_IS,
    CONV,
    CONV_TRANSPOSE,
    LINEAR,
    POINTWISE,
    Tensor,
    after_flatten,
    from_state_dict,
    leading_ones,
    to_state_dict,
    transposed,
)

CNN = Sequential((Conv2D(4, (3, 2)), BatchNorm(), Flatten(), Dense(3)))
IMAGE = Spec((1, 5, 6, 2), "float32")
CNN_NAMES = {
    "conv.weight": Tensor(("params/conv2d_0/kernel",), CONV),
    "conv.bias": Tensor(("params/conv2d_0/bias",)),
    "bn.weight": Tensor(("params/batch_norm_0/scale",)),
    "bn.bias": Tensor(("params/batch_norm_0/bias",)),
    "bn.running_mean": Tensor(("state/batch_norm_0/mean",)),
    "bn.running_var": Tensor(("state/batch_norm_0/var",)),
    "bn.num_batches_tracked": None,
    "fc.weight": Tensor(("params/dense_0/kernel",), after_flatten(5, 6, 4)),
    "fc.bias": Tensor(("params/dense_0/bias",)),
}

BLOCKS, SEQUENCE = Stack(MultiHeadAttention(2), 3), Spec((1, 4, 6), "float32")
BLOCKS_NAMES = {
    f"h.{i}.{name}": Tensor(tuple(f"params/{part}/{leaf}" for part in parts), layout, axis=axis, index=i)
    for i in range(3)
    for name, parts, leaf, layout, axis in [
        ("qkv.weight", ("query", "key", "value"), "kernel", AS_IS, 1),
        ("qkv.bias", ("query", "key", "value"), "bias", AS_IS, 0),
        ("out.weight", ("out",), "kernel", LINEAR, 0),
        ("out.bias", ("out",), "bias", AS_IS, 0),
    ]
}


def torch_cnn(torch):
    nn = torch.nn
    torch.manual_seed(0)
    layers = {"conv": nn.Conv2d(2, 4, (3, 2)), "bn": nn.BatchNorm2d(4), "flatten": nn.Flatten(), "fc": nn.Linear(120, 3)}
    module = nn.Sequential()
    module.add_module("pad", nn.ZeroPad2d((0, 1, 1, 1)))  # what SAME means for a kernel of (3, 2)
    for name, layer in layers.items():
        module.add_module(name, layer)
    for tensor in (*module.parameters(), module.bn.running_mean):
        torch.nn.init.normal_(tensor)
    return module.eval()


def arrays_of(module):
    return {name: tensor.detach().numpy() for name, tensor in module.state_dict().items()}


@pytest.mark.oracle
def test_a_torch_network_computes_the_same_here_and_reads_its_arrays_back(torch):
    module, x = torch_cnn(torch), normal(1, 2, 5, 6, 2)
    params, state = from_state_dict(CNN, CNN_NAMES, arrays_of(module), IMAGE)
    assert jax.tree.map(jnp.shape, (params, state)) == jax.tree.map(jnp.shape, CNN.init(jax.random.key(0), IMAGE))
    expected = module(torch.tensor(x.transpose(0, 3, 1, 2))).detach().numpy()
    assert_close(CNN.apply(params, state, x)[0], expected, 1e-5)
    twin = torch_cnn(torch)
    torch.nn.init.zeros_(twin.fc.weight)
    twin.load_state_dict({name: torch.tensor(array) for name, array in to_state_dict(CNN_NAMES, params, state).items()})
    for name, array in arrays_of(module).items():
        np.testing.assert_array_equal(arrays_of(twin)[name], array, err_msg=name)


def test_fused_tensors_are_cut_and_blocks_are_stacked():
    theirs = {f"h.{i}.{name}": normal(i, *shape) for i in range(3) for name, shape in SHAPES.items()}
    params, state = from_state_dict(BLOCKS, BLOCKS_NAMES, theirs, SEQUENCE)
    assert state == {}
    for i in range(3):
        np.testing.assert_array_equal(params["key"]["kernel"][i], theirs[f"h.{i}.qkv.weight"][:, 6:12])
        np.testing.assert_array_equal(params["value"]["bias"][i], theirs[f"h.{i}.qkv.bias"][12:])
        np.testing.assert_array_equal(params["out"]["kernel"][i], theirs[f"h.{i}.out.weight"].T)
    back = to_state_dict(BLOCKS_NAMES, params, state)
    assert back.keys() == theirs.keys()
    assert all(np.array_equal(back[name], array) for name, array in theirs.items())


SHAPES = {"qkv.weight": (6, 18), "qkv.bias": (18,), "out.weight": (6, 6), "out.bias": (6,)}


@pytest.mark.parametrize(
    ("layout", "theirs", "ours"),
    [
        (AS_IS, (), ()),
        (LINEAR, (3, 2), (2, 3)),
        (CONV, (5, 4, 2, 3), (2, 3, 4, 5)),
        (CONV_TRANSPOSE, (5, 4, 2, 3), (2, 3, 5, 4)),
        (transposed(2, 0, 1), (3, 4, 5), (5, 3, 4)),
        (POINTWISE, (5, 4, 1, 1), (4, 5)),
        (leading_ones(2), (1, 1, 5), (5,)),
        (after_flatten(2, 3, 4), (5, 24), (24, 5)),
    ],
)
def test_a_layout_reads_what_it_writes(layout, theirs, ours):
    x = normal(0, *theirs)
    assert layout.read(x).shape == ours
    np.testing.assert_array_equal(layout.write(layout.read(x)), x)


def test_arrays_are_cast_to_the_precision_that_the_model_starts_with():
    names = {"weight": Tensor(("params/kernel",), LINEAR)}
    params, _ = from_state_dict(
        Dense(3, use_bias=False), names, {"weight": np.ones((3, 2), np.float64)}, Spec((1, 2), "bfloat16")
    )
    assert params["kernel"].dtype == jnp.bfloat16


def test_auxiliary_losses_need_no_name_and_start_at_zero():
    names = {
        f"{part}.{theirs}": Tensor((f"params/{part}/{leaf}",), layout)
        for part in ("mean", "log_variance")
        for theirs, leaf, layout in (("weight", "kernel", LINEAR), ("bias", "bias", AS_IS))
    }
    params, _ = GaussianBottleneck(3).init(jax.random.key(0), Spec((1, 2), "float32"))
    arrays = to_state_dict(names, params, {"auxiliary_loss": jnp.float32(7)})
    assert arrays.keys() == names.keys()
    read, state = from_state_dict(GaussianBottleneck(3), names, arrays, Spec((1, 2), "float32"))
    assert state == {"auxiliary_loss": 0}
    jax.tree.map(np.testing.assert_array_equal, read, params)


def test_every_fault_of_a_state_dict_is_listed_at_once():
    arrays = {name: np.zeros(2, np.float32) for name in CNN_NAMES} | {"module.fc.bias": np.zeros(3, np.float32)}
    arrays |= {"bn.weight": np.zeros(4, np.float32), "bn.bias": np.zeros(4, np.int8)}
    del arrays["conv.weight"], arrays["bn.num_batches_tracked"]
    with pytest.raises(CheckpointError) as raised:
        from_state_dict(CNN, CNN_NAMES, arrays, IMAGE)
    found = {problem.cause: problem.place for problem in raised.value.problems}
    assert found["missing: conv.weight of shape (4, 2, 3, 2)"] == "params/conv2d_0/kernel"
    assert found["unexpected: module.fc.bias of shape (3,)"] == ""
    assert found["different shape: fc.weight is (2,), wanted (3, 120)"] == "params/dense_0/kernel"
    assert found["different dtype: bn.bias is int8, wanted floating-point numbers"] == "params/batch_norm_0/bias"
    assert len(found) == 3 + 5


def test_faults_of_a_fused_tensor_name_all_its_leaves():
    with pytest.raises(CheckpointError, match=r"missing: h.0.qkv.weight of shape \(6, 18\)") as raised:
        from_state_dict(BLOCKS, BLOCKS_NAMES, {}, SEQUENCE)
    assert raised.value.problems[0].place == "params/query/kernel, params/key/kernel, params/value/kernel"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"fc.bias": None}, "params/dense_0/bias"),
        ({"fc.bias": Tensor(("params/dense_1/bias",))}, "params/dense_1/bias"),
        ({"again": Tensor(("params/dense_0/bias",))}, "params/dense_0/bias"),
        ({"fc.bias": Tensor(("params/dense_0/bias",), index=0)}, "params/dense_0/bias"),
        ({"fc.bias": Tensor(("params/dense_0/bias",), index=3)}, "params/dense_0/bias"),
    ],
)
def test_a_map_that_does_not_fit_the_model_is_refused_in_both_directions(change, place):
    names = {**CNN_NAMES, **change}
    params, state = CNN.init(jax.random.key(0), IMAGE)
    for attempt in (lambda: from_state_dict(CNN, names, {}, IMAGE), lambda: to_state_dict(names, params, state)):
        with pytest.raises(CheckpointError, match="the map") as raised:
            attempt()
        assert place in [problem.place for problem in raised.value.problems]
