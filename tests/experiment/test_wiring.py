import jax
import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.experiment.reading import read_config
from zerfoo_jax.experiment.wiring import wire

TEXT = """
name: wired
model:
  type: Sequential
  layers: [Flatten, {type: Dense, features: 10}]
data: {name: digits}
metrics: [accuracy]
optimizer: {name: adam}
train: {steps: 6, batch_size: 8}
"""

SERIES = [
    "data={name: series, window: 12, horizon: 3}",
    "model={name: lstm_forecaster, horizon: 3, features: 4}",
    "loss=mse",
    "metrics=[rmse, {name: mae, scale: 1.0}]",
]


@pytest.fixture
def path(tmp_path):
    (tmp_path / "c.yaml").write_text(TEXT)
    return tmp_path / "c.yaml"


@pytest.fixture
def wired(path):
    return lambda *overrides: wire(*read_config(path, overrides))


@pytest.fixture
def problems(wired):
    def of(*overrides):
        with pytest.raises(ConfigError) as caught:
            wired(*overrides)
        return caught.value.problems

    return of


def test_the_parts_of_a_run(wired):
    run = wired()
    assert run.input_spec.shape == (1, 8, 8, 1)
    assert run.walk.visits[-1].output.shape == (1, 10)
    assert run.steps == 6
    assert list(run.metrics) == ["accuracy"]
    state = run.abstract_state()
    assert state.params["dense_0"]["kernel"].shape == (64, 10)
    assert state.ema is None
    assert wired("train.ema_decay=0.9").abstract_state().ema["dense_0"]["kernel"].shape == (64, 10)


def test_the_seed_decides_the_first_parameters(wired):
    first, same, other = (run.create_state().params for run in (wired(), wired(), wired("seed=1")))
    jax.tree.map(np.testing.assert_array_equal, first, same)
    assert not np.array_equal(first["dense_0"]["kernel"], other["dense_0"]["kernel"])


def test_epochs_become_steps_and_steps_win(wired):
    assert wired("train={epochs: 2, batch_size: 8}").steps == round(2 * 1438 / 8)
    assert wired("train={epochs: 2, steps: 5, batch_size: 8}").steps == 5
    assert wired("train={epochs: 1e-9}").steps == 1


def test_the_schedule_runs_over_the_run(wired):
    schedule = wired("optimizer.schedule={name: cosine, warmup_steps: 2}", "optimizer.learning_rate=0.5").schedule
    assert [round(float(schedule(step)), 4) for step in (0, 1, 2, 4, 6)] == [0.0, 0.25, 0.5, 0.25, 0.0]


def test_metrics_are_in_the_unit_of_the_data_unless_told(wired):
    run = wired(*SERIES)
    assert run.dataset.scale != 1.0
    assert run.metrics["rmse"].scale == run.dataset.scale
    assert run.metrics["mae"].scale == 1.0


def test_an_option_set_to_null_is_as_if_left_out(wired):
    assert wired("optimizer={name: adamw, weight_decay: 0.1}")
    assert wired("optimizer={name: adamw, weight_decay: 0.1}", "optimizer.name=adam", "optimizer.weight_decay=null")


# A setting that does not fit; its path in the config, or none for the setting's own, and words of the cause.
MISFITS = {
    "data.name=digit": ("data", "unknown dataset 'digit'"),
    "data.held_out=0": ("data.held_out", "greater than or equal to 2"),
    "data.hold_out=3": ("data.hold_out", "no option"),
    "loss=cros_entropy": ("loss", "unknown loss"),
    "loss={name: cross_entropy, label_smoothing: 2}": ("loss.label_smoothing", "less than 1"),
    "loss=mse": ("loss", "equal shapes"),
    "metrics=[acuracy]": ("metrics", "unknown metric"),
    "metrics=[accuracy, rmse]": ("metrics[1]", "equal shapes"),
    "metrics=[{name: confusion_matrix, num_classes: 10}]": ("metrics[0]", "one number"),
    "optimizer.name=adm": ("optimizer", "unknown optimizer"),
    "optimizer.b3=0.9": ("optimizer.b3", "no option"),
    "optimizer.b1=1.0": ("optimizer.b1", "less than 1"),
    "optimizer.schedule={name: cosin}": ("optimizer.schedule", "unknown schedule"),
    "optimizer.schedule={name: cosine, warmup: 1}": ("optimizer.schedule.warmup", "no option"),
    "optimizer.schedule={name: cosine, warmup_steps: 60}": ("optimizer.schedule", "longer than the run of 6 steps"),
    "optimizer.groups=[{match: dense_0/*, freeze: true}, {match: dense_0/kernel}]": (
        "optimizer.groups[1].match",
        "no parameter",
    ),
    "optimizer.groups=[{match: dense_0/*, b1: 2}]": ("optimizer.groups[0].b1", "less than 1"),
    "optimizer.groups=[{match: dense_0/*, name: sgdm}]": ("optimizer.groups[0]", "unknown optimizer"),
    "optimizer.groups=[{match: a, freeze: true}, {match: a}]": ("optimizer.groups[1].match", "by an earlier group"),
    "optimizer.penalty={l2: 0.1, match: [dense_1/*]}": ("optimizer.penalty.match[0]", "matches no parameter"),
    "train.swa={start: 60}": ("train.swa.start", "behind the last of 6 steps"),
    "train={epochs: 1e300}": ("train.epochs", "steps, over"),
    "train.early_stopping.monitor=validation/los": ("train.early_stopping.monitor", "not measured"),
    "checkpoint.monitor=accuracy": ("checkpoint.monitor", "not measured"),
    "model.layers.1.features=9": ("model", "9 outputs, the data 10 classes"),
    "model.layers.1.features=0": ("model.layers[1].features", "greater than 0"),
    "model.layers.0={type: LSTM, features: 3}": ("model.layers[0]", "3 axes"),
    "model={name: gtp}": ("model", "unknown model"),
    "model={name: mlp, features: 10, hidden: [0]}": ("model.hidden", "greater than 0"),
    "model={nodes: {a: Flatten, b: {type: Dense, features: 10}}, outputs: [a, b]}": ("model", "2 outputs"),
    "model={inputs: [x, y], nodes: {a: {type: Flatten, inputs: x}}}": ("model", "takes 2 inputs"),
}


@pytest.mark.parametrize("setting", MISFITS)
def test_what_does_not_fit_is_found_before_training_with_its_place(problems, path, setting):
    where, words = MISFITS[setting]
    (problem,) = [p for p in problems(setting) if words in p.cause]
    assert problem.place.endswith(f" ({where})")
    assert problem.place.startswith((f"command line: {setting} ", f"{path}:"))


def test_problems_of_all_sections_come_at_once(problems, path):
    graph = """model={nodes: {
        a: {type: Dense, features: 3, inputs: zz}, b: {type: Dense, features: -1, inputs: inputs},
        c: {type: Dense, features: 4, inputs: inputs}, d: {type: Dense, features: 5, inputs: inputs},
        e: {type: Add, inputs: [c, d]}}}"""
    found = problems(
        "data={name: arrays, path: nowhere.npz}",
        graph,
        "loss=los",
        "metrics=[metric]",
        "optimizer.name=optimizer",
        "optimizer.schedule={name: schedule}",
    )
    causes = "\n".join(problem.cause for problem in found)
    assert len(found) == 8
    for words in ("nowhere.npz", "'los'", "'metric'", "'optimizer'", "'schedule'", "'zz'", "features = -1", "equal shapes"):
        assert words in causes
    assert {"(model.nodes.a)", "(model.nodes.b.features)", "(model.nodes.e)"} <= {p.place.rpartition(" ")[2] for p in found}


def test_places_in_the_file(problems, path):
    path.write_text(TEXT.replace("features: 10", "features: -1"))
    assert [problem.place for problem in problems()] == [f"{path}:5:35 (model.layers[1].features)"]
