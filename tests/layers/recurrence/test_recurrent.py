import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.layers import against_finite_differences, against_torch, assert_close, normal, random_variables
from zerfoo_jax.core.errors import ConfigError, ShapeError
from zerfoo_jax.core.layer import check
from zerfoo_jax.layers import GRU, LSTM, SimpleRNN

KINDS = [SimpleRNN, LSTM, GRU]
every_kind = pytest.mark.parametrize("kind", KINDS)


def torch_weights(torch, params):
    """The layer's parameters in torch's places."""
    weights = {}
    for name, part in params.items():
        direction, layer = name.split("_")
        end = f"l{layer}" + ("_reverse" if direction == "backward" else "")
        given, hidden = part["input"]["bias"], part["recurrent"].get("bias", torch.zeros(0))
        weights[f"weight_ih_{end}"] = part["input"]["kernel"].T
        weights[f"weight_hh_{end}"] = part["recurrent"]["kernel"].T
        weights[f"bias_ih_{end}"] = given
        weights[f"bias_hh_{end}"] = torch.cat([torch.zeros(given.shape[0] - hidden.shape[0]), hidden])
    return weights


def torch_module(torch, layer, width):
    options = {"nonlinearity": layer.activation} if isinstance(layer, SimpleRNN) else {}
    cls = torch.nn.RNN if isinstance(layer, SimpleRNN) else getattr(torch.nn, type(layer).__name__)
    shape = {"num_layers": layer.num_layers, "bidirectional": layer.bidirectional}
    return cls(width, layer.features, batch_first=True, **shape, **options)


def module_oracle(torch, layer):
    """(y, h[, c]) of torch's module with the layer's parameters, packed where lengths are given."""

    def oracle(params, x, lengths=None, *states):
        pack, pad = torch.nn.utils.rnn.pack_padded_sequence, torch.nn.utils.rnn.pad_packed_sequence
        given = x if lengths is None else pack(x, lengths.long(), batch_first=True, enforce_sorted=False)
        start = states if len(states) > 1 else states[0] if states else None
        module = torch_module(torch, layer, x.shape[-1])
        y, last = torch.func.functional_call(module, torch_weights(torch, params), (given, start))
        y = y if lengths is None else pad(y, batch_first=True, total_length=x.shape[1])[0]
        return y, *(last if isinstance(last, tuple) else (last,))

    return oracle


class Joined:
    """A layer with its outputs in one vector, so that all get a gradient at once."""

    def __init__(self, layer):
        self.layer, self.init = layer, layer.init

    def apply(self, *args, **mode):
        outputs, state = self.layer.apply(*args, **mode)
        return jnp.concatenate([part.ravel() for part in outputs]), state


def compare_all_outputs(torch, layer, *xs, seed):
    def oracle(params, *xs):
        return torch.cat([part.ravel() for part in module_oracle(torch, layer)(params, *xs)])

    against_torch(torch, Joined(layer), oracle, *xs, seed=seed)


@pytest.mark.oracle
@every_kind
@pytest.mark.parametrize(
    ("features", "sequences", "shape"),
    [(4, True, (3, 7, 5)), (5, False, (2, 6, 3)), (1, True, (1, 1, 1)), (3, False, (1, 1, 2))],
)
def test_one_layer_agrees_with_torch(torch, kind, features, sequences, shape):
    layer = kind(features, return_sequences=sequences)

    def oracle(params, x):
        y = module_oracle(torch, layer)(params, x)[0]
        return y if sequences else y[:, -1]

    against_torch(torch, layer, oracle, normal(shape[1], *shape), seed=features)


@pytest.mark.oracle
@pytest.mark.parametrize("layer", [SimpleRNN(3, activation="relu"), *(kind(3) for kind in KINDS)])
@pytest.mark.parametrize(("num_layers", "bidirectional", "seed"), [(1, True, 0), (2, False, 1), (2, True, 2)])
def test_layers_directions_lengths_and_states_agree_with_torch(torch, layer, num_layers, bidirectional, seed):
    options = {"num_layers": num_layers, "bidirectional": bidirectional, "return_state": True}
    if isinstance(layer, SimpleRNN):
        options["activation"] = layer.activation
    layer = type(layer)(3, **options)
    x, lengths = normal(seed, 4, 6, 2), np.array([4, 6, 1, 5], np.int32)
    states = [normal(9 + i, num_layers * (1 + bidirectional), 4, 3) for i in range(2 if isinstance(layer, LSTM) else 1)]
    compare_all_outputs(torch, layer, x, lengths, *states, seed=seed)
    if seed == 2:
        compare_all_outputs(torch, layer, x, seed=seed)


@pytest.mark.parametrize("layer", [SimpleRNN(2, activation="relu"), *(kind(2) for kind in KINDS)])
def test_gradients_agree_with_finite_differences(layer):
    against_finite_differences(layer, normal(0, 1, 3, 2))


def test_gradients_of_two_layers_in_two_directions_agree_with_finite_differences():
    layer = Joined(GRU(2, num_layers=2, bidirectional=True, return_state=True))
    lengths = jnp.array([2, 3])

    class WithLengths(Joined):
        def apply(self, params, state, x, **mode):
            return layer.apply(params, state, x, lengths, **mode)

    against_finite_differences(WithLengths(layer), normal(0, 2, 3, 2))


@every_kind
def test_second_derivatives_agree_with_differences_of_first_ones(kind):
    with jax.enable_x64(True):
        x = jnp.asarray(normal(0, 1, 3, 2), jnp.float64)
        params, state = random_variables(kind(2), x)

        def loss(s):
            return jnp.sum(jnp.sin(kind(2).apply(params, state, s * x)[0]))

        slope = jax.jit(jax.grad(loss))
        difference = (slope(1 + 1e-5) - slope(1 - 1e-5)) / 2e-5
        np.testing.assert_allclose(jax.jit(jax.grad(slope))(1.0), difference, rtol=1e-6)


@every_kind
def test_what_lies_behind_the_end_changes_nothing_not_even_nan(kind):
    layer, lengths = kind(3, num_layers=2, bidirectional=True), jnp.array([2, 5, 0])
    x = normal(0, 3, 5, 2)
    params, _ = random_variables(layer, x)

    @jax.jit
    def run(params, x):
        return jax.value_and_grad(lambda params, x: jnp.sum(jnp.sin(layer.apply(params, {}, x, lengths)[0])), (0, 1))(params, x)

    spoilt = x.copy()
    spoilt[0, 2:] = np.nan
    spoilt[2] = np.inf
    jax.tree.map(np.testing.assert_array_equal, run(params, spoilt), run(params, x))
    y = layer.apply(params, {}, spoilt, lengths)[0]
    assert not y[0, 2:].any() and not y[2].any() and y[1].any()


@every_kind
def test_without_sequences_the_output_is_the_last_real_state_of_each_direction(kind):
    x, lengths = normal(0, 2, 4, 3), jnp.array([2, 4])
    layer = kind(3, num_layers=2, bidirectional=True, return_state=True, return_sequences=False)
    params, _ = random_variables(layer, x)
    (y, h, *_), _ = layer.apply(params, {}, x, lengths)
    np.testing.assert_array_equal(y, np.concatenate([h[2], h[3]], axis=-1))


@every_kind
def test_states_carry_a_sequence_over_a_cut(kind):
    layer, x = kind(3, num_layers=2, return_state=True), normal(0, 2, 7, 3)
    params, _ = random_variables(layer, x)
    (whole, *last), _ = layer.apply(params, {}, x)
    (first, *between), _ = layer.apply(params, {}, x[:, :3])
    (second, *end), _ = layer.apply(params, {}, x[:, 3:], jnp.array([4, 4]), *between)
    assert_close(np.concatenate([first, second], 1), whole, 1e-6)
    assert_close(np.stack(end), np.stack(last), 1e-6)


def test_dropout_acts_between_layers_in_training_only(key):
    layer, plain = GRU(4, num_layers=2, dropout=0.5), GRU(4, num_layers=2)
    x = normal(0, 2, 3, 4)
    params, _ = random_variables(layer, x)
    y = layer.apply(params, {}, x)[0]
    np.testing.assert_array_equal(y, plain.apply(params, {}, x, train=True)[0])
    one, again, other = (layer.apply(params, {}, x, key=jax.random.key(i), train=True)[0] for i in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, other) and not np.allclose(one, y)
    # A second layer deaf to its input hears nothing of the dropout: it is not on the input, nor on the output.
    deaf = params | {"forward_1": jax.tree.map(jnp.copy, params["forward_1"])}
    deaf["forward_1"]["input"]["kernel"] = jnp.zeros((4, 12))
    np.testing.assert_array_equal(layer.apply(deaf, {}, x, key=key, train=True)[0], layer.apply(deaf, {}, x)[0])
    with pytest.raises(ConfigError, match="key"):
        layer.apply(params, {}, x, train=True)


@every_kind
def test_no_steps_give_an_empty_sequence_and_a_zero_state(kind):
    x = jnp.ones((2, 0, 3))
    params, _ = random_variables(kind(4), x)
    assert kind(4).apply(params, {}, x)[0].shape == (2, 0, 4)
    assert kind(4, return_sequences=False).apply(params, {}, x)[0].tolist() == [[0.0] * 4] * 2
    grads = jax.grad(lambda p: jnp.sum(kind(4).apply(p, {}, x)[0]))(params)
    assert not any(g.any() for g in jax.tree.leaves(grads))


def test_the_forget_gate_starts_open(key):
    params, _ = LSTM(3).init(key, jax.ShapeDtypeStruct((1, 2, 2), jnp.float32))
    assert params["forward_0"]["input"]["bias"].tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(("kind", "gates"), [(SimpleRNN, 1), (LSTM, 4), (GRU, 3)])
def test_each_recurrent_block_starts_orthogonal(key, kind, gates):
    params, _ = kind(5, bidirectional=True).init(key, jax.ShapeDtypeStruct((1, 2, 2), jnp.float32))
    kernels = [params[name]["recurrent"]["kernel"] for name in ("forward_0", "backward_0")]
    blocks = [block for kernel in kernels for block in np.split(np.asarray(kernel), gates, 1)]
    for block in blocks:
        np.testing.assert_allclose(block @ block.T, np.eye(5), atol=1e-5)
    assert not np.allclose(blocks[0], blocks[1])


@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_a_long_sum_does_not_stall_in_half_precision(kind):
    """Small additions to a state near 1 vanish in bfloat16; the state is therefore kept in float32."""
    x = jnp.ones((1, 400, 1))
    params, _ = random_variables(kind(1), x, scale=0.0)
    rate = jnp.asarray(5.0)  # how slowly the state moves: 1 - σ(5) = 0.7 % a step
    bias = [-rate, rate, 2, 5] if kind is LSTM else [0, rate, 2]
    params["forward_0"]["input"]["bias"] = jnp.asarray(bias, jnp.float32)
    wide = kind(1).apply(params, {}, x)[0]
    half = kind(1).apply(jax.tree.map(lambda p: p.astype(jnp.bfloat16), params), {}, x.astype(jnp.bfloat16))[0]
    np.testing.assert_allclose(half.astype(jnp.float32)[:, -1], wide[:, -1], rtol=0.02)


@every_kind
@pytest.mark.parametrize(
    ("specs", "words"),
    [
        ([((2, 3), float)], "batch, time, features"),
        ([((2, 3, 4), int)], "int32"),
        ([((2, 3, 4), float), ((3,), int)], r"lengths of shape \(2,\), got \(3,\)"),
        ([((2, 3, 4), float), ((2,), float)], "integer"),
        ([((2, 3, 4), float), ((2,), int), *[((1, 3, 2), float)] * 2], "initial state"),
        ([((2, 3, 4), float), ((2,), int), *[((1, 2, 2), float)] * 3], "initial state"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(kind, specs, words):
    dtypes = {int: jnp.int32, float: jnp.float32}
    with pytest.raises(ShapeError, match=words):
        check(kind(2), *(jax.ShapeDtypeStruct(shape, dtypes[dtype]) for shape, dtype in specs))


@every_kind
def test_bad_options_are_refused(kind):
    with pytest.raises(ConfigError, match="features = 0"):
        kind(0)
    with pytest.raises(ConfigError, match=r"dropout = 0\.1 acts between layers"):
        kind(2, dropout=0.1)
    with pytest.raises(ConfigError, match="activation"):
        SimpleRNN(2, activation="gelu")
