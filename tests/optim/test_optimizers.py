import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.support.layers import normal
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.layers import Dense, Embedding, LayerNorm, Residual, Sequential, Stack
from zerfoo_jax.optim import (
    adadelta,
    adafactor,
    adagrad,
    adam,
    adamw,
    amsgrad,
    clipped,
    clipped_by_value,
    muon,
    nadam,
    rmsprop,
    sgd,
)
from zerfoo_jax.optim.leaves import named_leaves

STEPS = 20
SHAPES = {"kernel": (4, 3), "bias": (3,), "embedding": (5, 2), "scale": (2,)}


def gradient(xp, x, step):
    """A gradient that turns with the step, of a function without a minimum near by."""
    return xp.sin(3 * x + 0.1 * step) + 0.2 * x


def run(optimizer, start):
    params = {name: jnp.asarray(x) for name, x in start.items()}
    state = optimizer.init(params)

    @jax.jit
    def one(params, state, step):
        grads = jax.tree.map(lambda p: gradient(jnp, p, step), params)
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    for step in range(STEPS):
        params, state = one(params, state, jnp.float32(step))
    return params


def agrees(torch, optimizer, make, *, schedule=None, norm=None, value=None, decay=0.0):
    """Twenty steps of ours beside twenty of `make(parameters by name)`; `decay` is a decoupled one, of all rates."""
    start = {name: normal(i, *shape) for i, (name, shape) in enumerate(SHAPES.items())}
    tensors = {name: torch.tensor(x, requires_grad=True) for name, x in start.items()}
    oracle = make(tensors)
    for step in range(STEPS):
        for group in oracle.param_groups:
            group["lr"] = schedule(step) if schedule else group["lr"]
        for tensor in tensors.values():
            tensor.grad = gradient(torch, tensor.detach(), step)
        if norm:
            torch.nn.utils.clip_grad_norm_(tensors.values(), norm)
        if value:
            torch.nn.utils.clip_grad_value_(tensors.values(), value)
        if decay:
            decayed = [tensors[name] for name in ("kernel", "embedding")]
            torch._foreach_mul_([tensor.data for tensor in decayed], 1 - decay * oracle.param_groups[0]["lr"])
        oracle.step()
    for name, value in run(optimizer, start).items():
        assert not np.allclose(value, start[name], atol=1e-3)
        np.testing.assert_allclose(value, tensors[name].detach(), rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.oracle
@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"momentum": 0.8, "nesterov": True}])
def test_sgd_agrees_with_torch(torch, options):
    agrees(torch, sgd(0.05, **options), lambda p: torch.optim.SGD(p.values(), 0.05, **options))


@pytest.mark.oracle
@pytest.mark.parametrize("options", [{}, {"b1": 0.5, "b2": 0.9, "eps": 1e-3}])
def test_adam_agrees_with_torch(torch, options):
    betas, eps = (options.get("b1", 0.9), options.get("b2", 0.999)), options.get("eps", 1e-8)
    agrees(torch, adam(0.05, **options), lambda p: torch.optim.Adam(p.values(), 0.05, betas, eps))


@pytest.mark.oracle
def test_adamw_agrees_with_torch_and_decays_kernels_and_embeddings_only(torch):
    def oracle(p):
        groups = [
            {"params": [p["kernel"], p["embedding"]], "weight_decay": 0.3},
            {"params": [p["bias"], p["scale"]], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, 0.05)

    agrees(torch, adamw(0.05, weight_decay=0.3), oracle)


@pytest.mark.oracle
def test_adamw_decays_what_it_is_told(torch):
    def oracle(p):
        groups = [{"params": [p.pop("scale")], "weight_decay": 0.3}, {"params": list(p.values()), "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, 0.05)

    agrees(torch, adamw(0.05, weight_decay=0.3, decayed=("scale",)), lambda p: oracle(dict(p)))


@pytest.mark.oracle
@pytest.mark.parametrize("make", ["SGD", "AdamW"])
def test_schedules_agree_with_torch(torch, make):
    def schedule(step):
        return 0.1 / (1 + step)

    ours = sgd(schedule, momentum=0.9) if make == "SGD" else adamw(schedule, weight_decay=0.0)
    options = {"momentum": 0.9} if make == "SGD" else {"weight_decay": 0.0}
    agrees(torch, ours, lambda p: getattr(torch.optim, make)(p.values(), 1.0, **options), schedule=schedule)


@pytest.mark.oracle
@pytest.mark.parametrize("norm", [0.5, 2.0, 1e6])
def test_clipping_agrees_with_torch(torch, norm):
    agrees(torch, clipped(sgd(0.1), norm), lambda p: torch.optim.SGD(p.values(), 0.1), norm=norm)


@pytest.mark.oracle
def test_clipping_by_value_agrees_with_torch(torch):
    agrees(torch, clipped_by_value(sgd(0.1), 0.4), lambda p: torch.optim.SGD(p.values(), 0.1), value=0.4)


# Our maker, its options, torch's name and the same options there.
EQUALS = [
    (sgd, {"momentum": 0.7}, "SGD", {"momentum": 0.7}),
    (nadam, {}, "NAdam", {}),
    (nadam, {"b1": 0.7, "b2": 0.95, "eps": 1e-3, "momentum_decay": 0.1}, "NAdam", (0.7, 0.95, 1e-3, {"momentum_decay": 0.1})),
    (amsgrad, {}, "Adam", {"amsgrad": True}),
    (amsgrad, {"b1": 0.7, "b2": 0.8, "eps": 1e-3}, "Adam", (0.7, 0.8, 1e-3, {"amsgrad": True})),
    (rmsprop, {}, "RMSprop", {}),
    (rmsprop, {"decay": 0.8, "eps": 0.02}, "RMSprop", {"alpha": 0.8, "eps": 0.02}),
    (rmsprop, {"momentum": 0.6, "centered": True, "eps": 0.3}, "RMSprop", {"momentum": 0.6, "centered": True, "eps": 0.3}),
    (adagrad, {}, "Adagrad", {}),
    (
        adagrad,
        {"eps": 0.1, "initial_sum": 0.3, "rate_decay": 0.2},
        "Adagrad",
        {"eps": 0.1, "initial_accumulator_value": 0.3, "lr_decay": 0.2},
    ),
    (adadelta, {"decay": 0.7, "eps": 0.01}, "Adadelta", {"rho": 0.7, "eps": 0.01}),
    (adafactor, {}, "Adafactor", {}),
    (
        adafactor,
        {"decay": 0.6, "eps": 0.2, "smallest_scale": 0.5, "clipping": 1.5},
        "Adafactor",
        {"beta2_decay": -0.6, "eps": (0.2, 0.5), "d": 1.5},
    ),
]


@pytest.mark.oracle
@pytest.mark.parametrize("case", EQUALS, ids=lambda case: f"{case[2]}-{len(case[1])}")
@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_agrees_with_torch_with_and_without_decoupled_decay(torch, case, decay):
    make, options, name, given = case
    if isinstance(given, tuple):
        b1, b2, eps, more = given
        given = {"betas": (b1, b2), "eps": eps, **more}

    def schedule(step):
        return 0.3 / (1 + 0.1 * step)

    def oracle(tensors):
        # Only Adafactor's own decay can be compared: it comes after the measure of the parameters.
        groups = [
            {"params": [tensors["kernel"], tensors["embedding"]], "weight_decay": decay if make is adafactor else 0.0},
            {"params": [tensors["bias"], tensors["scale"]]},
        ]
        return getattr(torch.optim, name)(groups, 0.3, **given)

    outside = 0.0 if make is adafactor else decay
    agrees(torch, make(schedule, weight_decay=decay, **options), oracle, schedule=schedule, decay=outside)


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("options", "given"),
    [
        ({}, {}),
        ({"momentum": 0.6, "nesterov": False, "newton_schulz_steps": 3}, {"momentum": 0.6, "nesterov": False, "ns_steps": 3}),
        ({"scaling": "match_rms_adamw", "weight_decay": 0.3}, {"adjust_lr_fn": "match_rms_adamw", "weight_decay": 0.3}),
    ],
)
@pytest.mark.parametrize("shape", [(4, 3), (3, 4)])
def test_muon_agrees_with_torch_on_kernels_and_with_adamw_elsewhere(torch, monkeypatch, options, given, shape):
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)  # torch orthogonalises in bfloat16, we in float32
    monkeypatch.setitem(SHAPES, "kernel", shape)

    class Both:
        """torch's weights are (outputs, inputs), ours the other way round."""

        def __init__(self, p):
            self.kernel, self.weight = p["kernel"], torch.nn.Parameter(p["kernel"].detach().T.clone())
            decay = given.get("weight_decay", 0.0)
            rest = [{"params": p["embedding"], "weight_decay": decay}, {"params": [p["bias"], p["scale"]], "weight_decay": 0.0}]
            parts = [torch.optim.Muon([self.weight], 0.05, **{"weight_decay": 0.0, **given}), torch.optim.AdamW(rest, 0.05)]
            self.parts, self.param_groups = parts, []

        def step(self):
            self.weight.grad = self.kernel.grad.T.clone()
            for part in self.parts:
                part.step()
            self.kernel.data.copy_(self.weight.detach().T)

    agrees(torch, muon(0.05, **options), Both)


def test_decay_is_chosen_by_name_under_a_stack_too(key):
    block = Residual(Sequential((LayerNorm(), Dense(4))))
    model = Sequential((Embedding(7, 4), Stack(block, 3), Dense(2)))
    params, _ = model.init(key, jax.ShapeDtypeStruct((1, 5), jnp.int32))
    mask = named_leaves(params, ("kernel", "embedding"))
    assert mask == {
        "embedding_0": {"embedding": True},
        "stack_0": {"inner": {"layer_norm_0": {"scale": False, "bias": False}, "dense_0": {"kernel": True, "bias": False}}},
        "dense_0": {"kernel": True, "bias": False},
    }
    ones = jax.tree.map(jnp.ones_like, params)
    optimizer = adamw(0.1, weight_decay=0.5)
    updates, _ = optimizer.update(jax.tree.map(jnp.zeros_like, ones), optimizer.init(ones), ones)
    for update, decays in zip(jax.tree.leaves(updates), jax.tree.leaves(mask), strict=True):
        np.testing.assert_allclose(update, -0.05 if decays else 0.0, rtol=1e-6)


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(ConfigError, match="nesterov needs momentum"):
        sgd(0.1, nesterov=True)
