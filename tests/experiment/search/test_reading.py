"""What a search's config leaves out suits the data; what it says is taken as it is."""

import pytest

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.experiment.search.loop import space_of
from zerfoo_jax.experiment.search.reading import read_search
from zerfoo_jax.experiment.wiring import wire

SPACE = "space: {shape: [1x1], cell: [dense], width: [8], num_heads: [2]}\n"


def read(folder, *overrides, text=SPACE):
    (folder / "space.yaml").write_text(text)
    return read_search(folder / "space.yaml", overrides)


def write_table(folder, target):
    rows = "".join(f"{i}.5,{i % 3},{target(i)}\n" for i in range(40))
    (folder / "table.csv").write_text(f"a,b,y\n{rows}")
    return f"data={{name: csv, path: {folder / 'table.csv'}, target: y}}"


def test_classes_are_learnt_by_cross_entropy_and_ranked_by_accuracy(tmp_path):
    config, places = read(tmp_path, "data=digits")
    assert (config.name, config.model["features"], config.checkpoint.mode) == ("space", 10, "max")
    assert config.checkpoint.monitor == "validation/accuracy" and space_of(config, places).width == ((8, 1.0),)
    assert wire(config, places).walk.visits[-1].output.shape == (1, 10)


@pytest.mark.parametrize(
    ("target", "loss", "features"), [(lambda i: "abc"[i % 3], "cross_entropy", 3), (lambda i: f"{i}.25", "mse", 1)]
)
def test_tables_of_classes_and_of_numbers_are_searched(tmp_path, target, loss, features):
    config, places = read(tmp_path, write_table(tmp_path, target))
    assert config.model["features"] == features and config.train.batch_size == 32
    assert (config.loss if isinstance(config.loss, str) else config.loss.name) == loss
    assert wire(config, places).walk.visits[-1].output.shape[-1] == features


def test_a_series_is_a_sequence_and_ranked_by_its_error(tmp_path):
    config, places = read(tmp_path, "data=series")
    assert (config.model["inputs"], config.model["features"]) == ("sequences", 6)
    assert (config.checkpoint.monitor, config.checkpoint.mode) == ("validation/loss", "min")
    assert wire(config, places).walk.visits[-1].output.shape == (1, 6)


def test_a_section_that_is_there_is_taken_as_it_is(tmp_path):
    config, _ = read(tmp_path, "data=digits", "train={steps: 7}", "model={name: generated, features: 12}", "name=mine")
    assert (config.name, config.train.steps, config.train.ema_decay, config.model["features"]) == ("mine", 7, None, 12)


@pytest.mark.parametrize(("train", "warmup"), [("{steps: 16}", 2), ("{epochs: 1}", 0), ("{steps: 4000}", 50)])
def test_a_warm_up_is_no_longer_than_the_run(tmp_path, train, warmup):
    config, places = read(tmp_path, "data=digits", f"train={train}")
    assert wire(config, places).config.optimizer.schedule.spec() == {"name": "cosine", "warmup_steps": warmup}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [((), "'data' is missing"), (["data=digitz"], "digitz"), (["data=digits", "train.batch_size=8"], "give steps")],
)
def test_what_is_missing_or_unknown_is_named(tmp_path, overrides, words):
    with pytest.raises(ConfigError, match=words):
        read(tmp_path, *overrides)
