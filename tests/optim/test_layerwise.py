"""LARS, LAMB and Lion beside their papers' formulas in float64, and everything that looks at whole layers under a Stack."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.support.layers import normal
from zerfoo_jax.optim import adafactor, clipped_adaptively, lamb, lars, lion, muon, sgd

RATE, STEPS = 0.07, 20


def start(seed):
    return {"kernel": normal(seed, 4, 3), "bias": normal(seed + 1, 3), "scale": np.zeros(2, np.float32)}


def gradient(xp, x, step):
    return xp.sin(3 * x + 0.1 * step) + 0.2 * x


def ours(optimizer, params, steps=STEPS):
    params = jax.tree.map(jnp.asarray, params)

    def one(step, carry):
        params, state = carry
        grads = jax.tree.map(lambda p: gradient(jnp, p, step.astype(jnp.float32)), params)
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    return jax.jit(lambda params: jax.lax.fori_loop(0, steps, one, (params, optimizer.init(params))))(params)[0]


def in_numpy(step_of, params):
    """Each leaf by itself: `step_of(name)` gives a function (gradient, parameter, t) -> what is added."""
    found = {}
    for name, x in params.items():
        p, step = x.astype(np.float64), step_of(name)
        for t in range(STEPS):
            p = p + step(gradient(np, p, t), p, t)
        found[name] = p
    return found


def agrees(optimizer, step_of, seed):
    expected, found = in_numpy(step_of, start(seed)), ours(optimizer, start(seed))
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("seed", range(3))
def test_lars_follows_its_paper(seed):
    momentum, trust, decay = 0.8, 0.05, 0.3

    def step_of(name):
        m = 0.0

        def step(g, p, t):
            nonlocal m
            if name == "kernel":
                local = trust * np.linalg.norm(p) / (np.linalg.norm(g) + decay * np.linalg.norm(p))
                g = local * (g + decay * p)
            m = momentum * m + RATE * g
            return -m

        return step

    agrees(lars(RATE, momentum=momentum, trust_coefficient=trust, weight_decay=decay), step_of, seed)


@pytest.mark.parametrize("seed", range(3))
def test_lamb_follows_its_paper(seed):
    b1, b2, eps, decay = 0.7, 0.9, 1e-3, 0.2

    def step_of(name):
        m = v = 0.0

        def step(g, p, t):
            nonlocal m, v
            m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
            u = m / (1 - b1 ** (t + 1)) / (np.sqrt(v / (1 - b2 ** (t + 1))) + eps)
            u = u + (decay * p if name == "kernel" else 0.0)
            ratio = np.linalg.norm(p) / np.linalg.norm(u) if np.any(p) and np.any(u) else 1.0
            return -RATE * ratio * u

        return step

    agrees(lamb(RATE, b1=b1, b2=b2, eps=eps, weight_decay=decay), step_of, seed)


@pytest.mark.parametrize("seed", range(3))
def test_lion_follows_its_paper(seed):
    b1, b2, decay = 0.7, 0.85, 0.2

    def step_of(name):
        m = 0.0

        def step(g, p, t):
            nonlocal m
            u = np.sign(b1 * m + (1 - b1) * g)
            m = b2 * m + (1 - b2) * g
            return -RATE * (u + (decay * p if name == "kernel" else 0.0))

        return step

    agrees(lion(RATE, b1=b1, b2=b2, weight_decay=decay), step_of, seed)


@pytest.mark.parametrize(
    "optimizer",
    [
        adafactor(RATE),
        lamb(RATE, weight_decay=0.1),
        lars(RATE, trust_coefficient=0.1),
        muon(RATE),
        clipped_adaptively(sgd(RATE), 0.01),
    ],
    ids=["adafactor", "lamb", "lars", "muon", "clipped_adaptively"],
)
def test_stacked_layers_go_as_they_would_alone(optimizer):
    layers = [start(10 * i) for i in range(3)]
    for i, layer in enumerate(layers):
        layer["kernel"] = layer["kernel"] * 3**i
        layer["scale"] = normal(i, 2)
    stacked = {"stack_0": {"inner": jax.tree.map(lambda *x: np.stack(x), *layers)}}
    found = ours(optimizer, stacked, steps=4)["stack_0"]["inner"]
    for i, layer in enumerate(layers):
        for name, value in ours(optimizer, layer, steps=4).items():
            np.testing.assert_allclose(found[name][i], value, rtol=1e-5, atol=1e-6, err_msg=f"{name} of layer {i}")


def test_a_stack_of_another_name_is_named():
    layers = [start(10 * i) for i in range(2)]
    stacked = {"blocks": jax.tree.map(lambda *x: np.stack(x), *layers)}
    found = ours(lamb(RATE, stacked=("block*",)), stacked, steps=2)["blocks"]
    np.testing.assert_allclose(found["kernel"][1], ours(lamb(RATE), layers[1], steps=2)["kernel"], rtol=1e-5)


@pytest.mark.parametrize("name", ["kernel", "conv", "bias"])
def test_the_adaptive_clip_bounds_each_unit(name):
    shape = {"kernel": (4, 3), "conv": (2, 2, 4, 3), "bias": (3,)}[name]
    p, g = normal(0, *shape), 5 * normal(1, *shape)
    p[..., 0] *= 1e-5
    optimizer = clipped_adaptively(sgd(1.0), 0.2, eps=0.01)
    params = {name: jnp.asarray(p)}
    updates, _ = optimizer.update({name: jnp.asarray(g)}, optimizer.init(params), params)
    units = [Ellipsis] if name == "bias" else [(..., j) for j in range(3)]
    for unit in units:
        longest = 0.2 * max(np.linalg.norm(p[unit]), 0.01)
        expected = g[unit] * min(1.0, longest / np.linalg.norm(g[unit]))
        np.testing.assert_allclose(-updates[name][unit], expected, rtol=1e-5)
