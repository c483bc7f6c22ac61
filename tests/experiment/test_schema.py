import subprocess
import sys

import pytest

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.experiment.packaged import find_config, packaged_configs
from zerfoo_jax.experiment.reading import read_config, with_paths_from, with_paths_moved

SMALL = """
name: small
model: {type: Flatten}
data: {name: digits}
optimizer: {name: sgd}
train: {steps: 3}
"""


@pytest.fixture
def config(tmp_path):
    def read(text=SMALL, *overrides, **environment):
        (tmp_path / "c.yaml").write_text(text)
        return read_config(tmp_path / "c.yaml", overrides, environment)[0]

    return read


def test_everything_has_its_default(config):
    found = config()
    assert found.seed == 0
    assert (found.loss, found.metrics) == ("cross_entropy", ())
    assert (found.optimizer.learning_rate, found.optimizer.schedule, found.optimizer.clip_norm) == (1e-3, None, None)
    assert (found.train.batch_size, found.train.accumulate, found.train.precision) == (64, 1, "float32")
    assert found.train.nonfinite.policy == "stop"
    assert found.checkpoint.monitor == "validation/loss"


def test_options_of_members_are_kept_as_they_are(config):
    found = config(
        SMALL, "optimizer.momentum=0.9", "data.held_out=7", "loss={name: mse, x: [1]}", "optimizer.schedule.name=cosine"
    )
    assert found.optimizer.model_extra == {"momentum": 0.9}
    assert found.data.spec() == {"name": "digits", "held_out": 7}
    assert found.loss.spec() == {"name": "mse", "x": [1]}
    assert found.optimizer.schedule.spec() == {"name": "cosine"}


BAD = [
    ("name=../up", "name"),
    ("name=a b", "name"),
    ("name=", "name"),
    ("name=.hidden", "name"),
    ("name='x\\n'", "name"),
    ("config_version=2", "config_version"),
    ("seed=-1", "seed"),
    ("seed=1.5", "seed"),
    (f"seed={2**80}", "seed"),
    ("optimizer.learning_rate=0", "learning_rate"),
    ("optimizer.learning_rate='1e-3'", "learning_rate"),
    ("optimizer.learning_rate=.inf", "learning_rate"),
    ("optimizer.clip_norm=-1", "clip_norm"),
    ("train.steps=0", "steps"),
    (f"train.steps={2**31}", "steps"),
    ("train.steps=", "give steps"),
    ("train.epochs=-1", "epochs"),
    ("train.batch_size=2.0", "batch_size"),
    ("train.precision=float64", "precision"),
    ("train.ema_decay=1.5", "ema_decay"),
    ("train.nonfinite.policy=ignore", "policy"),
    ("train.early_stopping.mode=best", "mode"),
    ("train.early_stopping.patience=0", "patience"),
    ("train.early_stopping.min_delta=.nan", "min_delta"),
    ("checkpoint.keep_last=0", "keep_last"),
    ("checkpoint.keep_best=-1", "keep_best"),
    ("logging.every=0", "every"),
    ("logging.tensorboard=yes", "tensorboard"),
    ("metrics=accuracy", "metrics"),
    ("metrics=[3]", "metrics"),
    ("model=Flatten", "model"),
    ("model=[]", "model"),
    ("data=5", "data"),
    ("optimizer=adam", "optimizer"),
]


@pytest.mark.parametrize(("override", "word"), BAD)
def test_a_bad_value_is_refused_with_its_setting(config, override, word):
    with pytest.raises(ConfigError, match=word) as caught:
        config(SMALL, override)
    assert len(caught.value.problems) == 1


def test_a_data_path_counts_from_the_config_file(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.yaml").write_text(SMALL.replace("{name: digits}", "{name: csv, path: ../d.csv, target: y}"))
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / "sub" / "c.yaml", (tmp_path / "sub" / "c.yaml").relative_to(tmp_path)):
        config, places = read_config(path)
        assert with_paths_from(config, places.folder).data.spec()["path"] == str(tmp_path / "d.csv")


def test_a_data_path_of_the_command_line_counts_from_here(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.yaml").write_text(SMALL.replace("{name: digits}", "{name: csv, path: ../d.csv, target: y}"))
    monkeypatch.chdir(tmp_path)
    config, places = read_config(tmp_path / "sub" / "c.yaml", ["data.path=e.csv"])
    assert with_paths_from(config, places.folder).data.spec()["path"] == str(tmp_path / "e.csv")


def test_paths_move_with_their_config(tmp_path, config):
    text = SMALL.replace("{name: digits}", "{name: csv, path: ../d.csv, target: y}").replace("type: Flatten", "file: m.onnx")
    moved = with_paths_moved(config(text), tmp_path / "sub", tmp_path / "runs" / "a")
    assert moved.data.spec()["path"] == "../../d.csv"
    assert moved.model["file"] == "../../sub/m.onnx"
    text = SMALL.replace("{name: digits}", "{name: csv, path: /d.csv, target: y}")
    assert with_paths_moved(config(text), tmp_path, tmp_path / "b").data.spec()["path"] == "/d.csv"


def test_a_model_file_of_the_command_line_counts_from_here(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.yaml").write_text(SMALL.replace("type: Flatten", "file: m.onnx"))
    monkeypatch.chdir(tmp_path)
    for given, found in ([], "sub/m.onnx"), (["model.file=n.onnx"], "n.onnx"):
        config, places = read_config(tmp_path / "sub" / "c.yaml", given)
        assert with_paths_from(config, places.folder).model["file"] == str(tmp_path / found)


@pytest.mark.parametrize("name", packaged_configs())
def test_every_packaged_config_is_a_config(name):
    assert read_config(find_config(name))[0].name == name


def test_a_config_is_found_by_path_first_then_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config("digits_mlp") == packaged_configs()["digits_mlp"]
    (tmp_path / "digits_mlp").write_text("")
    assert find_config("digits_mlp").resolve() == tmp_path / "digits_mlp"
    for wrong in ("digits_mpl", str(tmp_path), "no/such.yaml", ""):
        with pytest.raises(ConfigError, match="no config file"):
            find_config(wrong)


def test_reading_needs_no_jax():
    code = "import sys, zerfoo_jax.experiment.reading; print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "False\n"
