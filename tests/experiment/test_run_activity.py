"""A run records what its config asks for, and keeps it when it is resumed."""

import numpy as np
import pytest

import zerfoo_jax as zf
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.recording import SUMMARY

TINY = (
    "model={type: Sequential, layers: [Flatten, {type: Dense, features: 9}, {type: Dropout, rate: 0.5}, "
    "{type: Dense, features: 10}]}",
    "train.batch_size=32",
    "train.evaluate_every=20",
    "logging.tensorboard=false",
    "optimizer.schedule=null",
    "runtime.compilation_cache=false",
)
WATCHED = "logging.activity={nodes: [dense_*, dropout_0], every: 10}"


def trained(folder, steps, *extra):
    return zf.train(*zf.load_config("digits_mlp", *TINY, f"train.steps={steps}", *extra), folder)


def test_a_run_records_and_resumes(tmp_path):
    assert trained(tmp_path, 20, WATCHED).summary["steps"] == 20
    found = zf.replay(tmp_path / "activity.jsonl")
    assert found["model_id"] == "digits_mlp"
    nodes = ("dense_0", "dense_1", "dropout_0")
    assert [(event["step"], event["node"]) for event in found["events"]] == [(s, n) for s in (10, 20) for n in nodes]
    values = np.array([event["values"] for event in found["events"]])
    assert values.shape == (6, len(SUMMARY)) and np.isfinite(values).all()
    assert (values[2::3, SUMMARY.index("zeros")] > 0.3).all()  # dropout drops
    trained(tmp_path, 20, WATCHED)
    assert zf.replay(tmp_path / "activity.jsonl")["events"] == found["events"]


def test_a_pattern_that_finds_nothing_is_named_before_training(tmp_path):
    with pytest.raises(ConfigError, match=r"(?s)no node matches 'dens'.*logging.activity.nodes.*did you mean 'dense_"):
        trained(tmp_path / "run", 5, "logging.activity={nodes: dens}")
