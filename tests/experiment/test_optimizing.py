"""What an `optimizer` section says is what the same calls in Python make, and a checkpoint holds all of it."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.support.training import assert_same_bits
from zerfoo_jax.checkpoint import Checkpoints
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.experiment.folder import RunFolder
from zerfoo_jax.experiment.reading import read_config
from zerfoo_jax.experiment.train import train
from zerfoo_jax.experiment.wiring import wire
from zerfoo_jax.optim import (
    adamw,
    clipped,
    clipped_adaptively,
    clipped_by_value,
    cosine,
    grouped,
    lion,
    lookahead,
    penalized,
    sgd,
)

TEXT = """
name: wired
model:
  type: Sequential
  layers: [Flatten, {type: Dense, features: 5}, {type: Dense, features: 4}, {type: Dense, features: 10}]
data: {name: digits}
optimizer:
  name: adamw
  learning_rate: 0.01
  weight_decay: 0.3
  schedule: {name: cosine}
  penalty: {l1: 1e-3, l2: 1e-2, match: [dense_2/*]}
  clip_adaptive: 0.5
  clip_value: 0.1
  clip_norm: 0.2
  lookahead: {every: 2, alpha: 0.4}
  groups:
    - {match: dense_0/bias, name: lion, b1: 0.8}
    - {match: dense_0/*, freeze: true}
    - {match: dense_1/**, learning_rate: 0.1, b2: 0.9}
    - {match: "*/bias", weight_decay: null, name: sgd}
train: {steps: 6, batch_size: 8, swa: {start: 2, every: 2}, evaluate_every: 6}
logging: {every: 1, tensorboard: false}
"""


@pytest.fixture
def wired(tmp_path):
    (tmp_path / "c.yaml").write_text(TEXT)
    return lambda *overrides: wire(*read_config(tmp_path / "c.yaml", overrides))


def test_the_section_is_what_python_would_write(wired):
    def rate(peak=0.01):
        return cosine(peak, 6)

    def around(inside):
        inside = clipped_by_value(clipped(inside, 0.2), 0.1)
        return lookahead(penalized(clipped_adaptively(inside, 0.5), l1=1e-3, l2=1e-2, match=("dense_2/*",)), every=2, alpha=0.4)

    groups = {
        "dense_0/bias": lion(rate(), b1=0.8),
        "dense_0/*": None,
        "dense_1/**": adamw(rate(0.1), b2=0.9, weight_decay=0.3),
        "*/bias": sgd(rate()),
    }
    params = wired().create_state().params
    results = []
    for optimizer in (wired().optimizer, grouped(adamw(rate(), weight_decay=0.3), groups, around=around)):
        moved, state = params, optimizer.init(params)

        @jax.jit
        def one(moved, state, optimizer=optimizer):
            changes, state = optimizer.update(jax.tree.map(jnp.cos, moved), state, moved)
            return jax.tree.map(jnp.add, moved, changes), state

        for _ in range(3):
            moved, state = one(moved, state)
        results.append(moved)
    assert_same_bits(*results)
    np.testing.assert_array_equal(moved["dense_0"]["kernel"], params["dense_0"]["kernel"])
    assert not np.allclose(moved["dense_0"]["bias"], params["dense_0"]["bias"])


@pytest.mark.parametrize(
    "overrides",
    [[], ["optimizer={name: schedule_free}", "train.precision=float16"]],
    ids=["groups", "schedule_free"],
)
def test_a_checkpoint_holds_all_of_it(wired, tmp_path, overrides):
    run = wired(*overrides)
    state, step = run.create_state(), run.make_step()
    with Checkpoints(tmp_path / "checkpoints") as checkpoints, run.batches(0, 6) as batches:
        for number, loaded in enumerate(batches, 1):
            state, _ = step(state, loaded.batch)
            if number == 3:
                checkpoints.save(number, state)
        restored = checkpoints.restore(run.abstract_state()).tree
    with run.batches(3, 6) as batches:
        for loaded in batches:
            restored, _ = step(restored, loaded.batch)
    assert_same_bits(restored, state)
    assert step.compilations == 1


def test_the_log_shows_the_rate_that_was_used(wired, tmp_path):
    falls_at_once = (
        "optimizer={name: sgd, learning_rate: 1.0, schedule: {name: reduce_on_plateau, patience: 0, threshold: 1.0}}"
    )
    folder = RunFolder(tmp_path / "run")
    assert train(wired(falls_at_once), folder).exit_code == 0
    rates = [
        record["learning_rate"] for record in map(json.loads, folder.metrics.read_text().splitlines()) if "train/loss" in record
    ]
    # With a threshold of 1 no positive loss is ever better: each of them makes the next step's rate a tenth.
    np.testing.assert_allclose(rates, [10.0**-n for n in range(1, 7)], rtol=1e-5)


@pytest.mark.parametrize(
    ("setting", "words"),
    {
        "train.ema_decay=0.9": "swa or ema_decay",
        "optimizer.groups=[{match: a, freeze: true, b1: 0.5}]": "what is frozen has no options",
        "optimizer.groups=[{freeze: true}]": "'optimizer.groups\\[0\\].match' is missing",
        "optimizer.lookahead.alpha=2": "less than or equal to 1",
        "optimizer.penalty.l3=1": "unknown key 'optimizer.penalty.l3'",
        "train.swa.start=-1": "greater than or equal to 0",
    }.items(),
)
def test_what_a_section_cannot_say(wired, setting, words):
    with pytest.raises(ConfigError, match=words):
        wired(setting)
