"""A search ends with the same trials however often it is stopped; what fails is a row; what is changed is refused."""

import csv
import json
import os
from pathlib import Path
import shutil
import signal

import pytest

from zerfoo_jax.core.errors import ConfigError, DivergedError
from zerfoo_jax.experiment.folder import RunFolder
from zerfoo_jax.experiment.packaged import find_config
from zerfoo_jax.experiment.reading import read_config
from zerfoo_jax.experiment.schema import SearchSection
from zerfoo_jax.experiment.search import trial as trial_module
from zerfoo_jax.experiment.search.evolution import propose
from zerfoo_jax.experiment.search.loop import search, space_of
from zerfoo_jax.experiment.search.trial import config_of, read_trial
from zerfoo_jax.experiment.train import Finished, train
from zerfoo_jax.experiment.trained import open_run
from zerfoo_jax.experiment.wiring import wire

TINY = """
name: tiny
model: {name: generated, features: 10}
space: {shape: [1x1], cell: [dense], combine: [add], width: [8, 16], num_heads: [2], activation: [relu, tanh]}
search: {population: 1}
data: digits
metrics: [accuracy]
optimizer: {name: adam}
train: {steps: 6, batch_size: 32, evaluate_every: 3}
checkpoint: {every: 3, monitor: validation/accuracy, mode: max}
logging: {tensorboard: false}
runtime: {compilation_cache: false}
"""


def config_in(folder: Path, *overrides: str, text: str = TINY):
    (folder / "tiny.yaml").write_text(text)
    return read_config(folder / "tiny.yaml", overrides)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a config, and a search of a random trial and a changed one with it in `run`. Do not write to it."""
    folder = tmp_path_factory.mktemp("search")
    searched = search(*config_in(folder), RunFolder(folder / "run"), trials=2)
    assert (searched.exit_code, len(searched.trials)) == (0, 2)
    return folder


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished search, to be damaged."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return tmp_path


def outcome_of(folder: Path) -> list[dict[str, object]]:
    """The leaderboard without its times."""
    return [{**t, "seconds": 0} for t in json.loads((folder / "run" / "leaderboard.json").read_text())["trials"]]


def test_every_trial_is_an_ordinary_run_with_its_genome_in_its_config(finished):
    records = outcome_of(finished)
    assert [record["rank"] for record in records] == [1, 2]
    assert [r["score"] for r in records] == sorted((r["score"] for r in records), reverse=True)
    for record in records:
        trained = open_run(finished / "run" / "trials" / f"{record['number']:03d}")
        assert trained.wired.config.model["genome"] == record["genome"]
        assert trained.wired.config.optimizer.learning_rate == record["genome"]["learning_rate"]
        assert json.loads(trained.folder.summary.read_text())["metrics"]["validation/accuracy"] == record["score"]


def test_the_leaderboard_is_a_table_too(finished):
    with open(finished / "run" / "leaderboard.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [float(line["score"]) for line in lines] == [record["score"] for record in outcome_of(finished)]
    assert lines[0]["cells"] == "dense" and lines[0]["reason"] == ""


def test_killed_in_the_middle_of_a_trial_it_ends_alike(finished, copied):
    trial = copied / "run" / "trials" / "001"
    for leftover in (trial / "trial.json", trial / "summary.json", copied / "run" / "leaderboard.json"):
        leftover.unlink()
    shutil.rmtree(trial / "checkpoints" / "6")  # the last that was saved is that of step 3
    said: list[str] = []
    searched = search(*config_in(copied), RunFolder(copied / "run"), trials=2, say=said.append)
    assert searched.exit_code == 0 and len(said) == 1 and said[0].startswith("trial 1 of 2: 1x1 ")
    assert outcome_of(copied) == outcome_of(finished)


def test_killed_between_the_end_of_a_trial_and_its_record_it_ends_alike(finished, copied):
    (copied / "run" / "trials" / "000" / "trial.json").write_text('{"number": 0')
    search(*config_in(copied), RunFolder(copied / "run"), trials=2)
    assert outcome_of(copied) == outcome_of(finished)


@pytest.mark.parametrize("damage", ["", "[]", "{}", "[" * 10**5, {"number": 2}, {"score": "best"}, {"genome": {"width": 8}}])
def test_a_record_that_cannot_be_read_is_none(finished, tmp_path, damage):
    good = (finished / "run" / "trials" / "001" / "trial.json").read_text()
    (tmp_path / "trial.json").write_text(good)
    assert read_trial(tmp_path, 1) is not None
    text = damage if isinstance(damage, str) else json.dumps({**json.loads(good), **damage})
    (tmp_path / "trial.json").write_text(text)
    assert read_trial(tmp_path, 1) is None


def test_another_space_in_the_same_folder_is_refused_with_the_difference(copied):
    for text, difference in {
        TINY.replace("width: [8, 16]", "width: [8, 32]"): "+  - 32",
        TINY.replace("population: 1", "population: 3"): "+  population: 3",
        TINY.replace("steps: 6", "steps: 7"): "+  steps: 7",
    }.items():
        with pytest.raises(ConfigError, match="holds a run of a different config") as raised:
            search(*config_in(copied, text=text), RunFolder(copied / "run"), trials=2)
        assert difference in str(raised.value)


def test_fewer_trials_of_a_finished_search_run_nothing(copied):
    said: list[str] = []
    searched = search(*config_in(copied), RunFolder(copied / "run"), trials=1, say=said.append)
    assert [trial.number for trial in searched.trials] == [0] and not said


@pytest.fixture
def trained_by(monkeypatch):
    """Sets what stands in for training: a function of the wired run that gives a score or raises."""

    def use(score):
        def train(wired, folder, **options):
            folder.path.mkdir(parents=True)
            return Finished(0, {"metrics": {"validation/accuracy": score(wired.config)}})

        monkeypatch.setattr(trial_module, "train", train)

    return use


def test_trials_that_fail_are_rows_with_their_reason(trained_by, tmp_path):
    def score(config):
        number = int(config.name[-3:])
        if number == 1:
            raise DivergedError("loss or parameters are not finite after step 3", fix="lower the learning rate")
        if number == 2:
            raise MemoryError("out of memory\nwith a long explanation")
        return None if number == 3 else 0.5

    trained_by(score)
    searched = search(*config_in(tmp_path), RunFolder(tmp_path / "run"), trials=5)
    reasons = ["", "loss or parameters are not finite after step 3", "MemoryError: out of memory"]
    assert [t.reason for t in searched.trials] == [*reasons, "validation/accuracy is not finite", ""]
    assert [t.score for t in searched.trials] == [0.5, None, None, None, 0.5]
    assert [record["number"] for record in outcome_of(tmp_path)][:2] in ([0, 4], [4, 0])
    again = search(*config_in(tmp_path), RunFolder(tmp_path / "run"), trials=5)
    assert again == searched


def test_evolution_finds_what_pays(trained_by, tmp_path):
    trained_by(lambda config: -abs(config.optimizer.learning_rate - 1e-3) * 100 + (config.model["genome"]["width"] == 16))
    config, places = config_in(tmp_path, "search.population=5")
    scores = [t.score or 0.0 for t in search(config, places, RunFolder(tmp_path / "run"), trials=20).trials]
    assert sum(scores[-5:]) > sum(scores[:5]) and max(scores) == max(scores[5:])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_lets_no_further_trial_begin(trained_by, tmp_path, number, code):
    def score(config):
        os.kill(os.getpid(), number)
        return 0.5

    trained_by(score)
    searched = search(*config_in(tmp_path), RunFolder(tmp_path / "run"), trials=3)
    assert (searched.exit_code, len(searched.trials)) == (code, 1)


def test_a_trial_that_was_interrupted_is_no_row(monkeypatch, tmp_path):
    monkeypatch.setattr(trial_module, "train", lambda wired, folder, **options: Finished(75, {}))
    searched = search(*config_in(tmp_path), RunFolder(tmp_path / "run"), trials=3)
    assert (searched.exit_code, searched.trials) == (75, [])
    assert not list((tmp_path / "run" / "trials").glob("*/trial.json"))


def test_when_the_time_is_up_no_further_trial_begins(trained_by, tmp_path):
    trained_by(lambda config: 0.5)
    searched = search(*config_in(tmp_path), RunFolder(tmp_path / "run"), trials=3, seconds=0.0)
    assert (searched.exit_code, searched.trials) == (0, [])


def test_when_the_time_is_up_the_trial_under_way_is_saved_and_goes_on_later(finished, tmp_path):
    config, places = config_in(tmp_path)
    late = train(wire(config_of(config, 0, propose(space_of(config, places), SearchSection(), 0, 0, (), "max")), places),
                 RunFolder(tmp_path / "run/trials/000"), deadline=0.0)  # fmt: skip
    assert late.exit_code == 75 and list((tmp_path / "run/trials/000/checkpoints").glob("1"))
    assert search(config, places, RunFolder(tmp_path / "run"), trials=2).exit_code == 0
    assert outcome_of(tmp_path) == outcome_of(finished)


def test_a_run_folder_that_cannot_be_used_is_no_trial_that_failed(trained_by, tmp_path):
    def score(config):
        raise ConfigError("the data is not what this run began with")

    trained_by(score)
    with pytest.raises(ConfigError, match="not what this run began with"):
        search(*config_in(tmp_path), RunFolder(tmp_path / "run"), trials=3)


def test_what_is_wrong_with_every_trial_ends_the_search_at_once(tmp_path):
    with pytest.raises(ConfigError, match="accurracy"):
        search(*config_in(tmp_path, "metrics=[accurracy]"), RunFolder(tmp_path / "run"), trials=3)
    assert not (tmp_path / "run").exists(), "so that the mended config may use the folder"


@pytest.mark.parametrize(
    ("override", "text", "place"),
    [
        ("space.shapes=[1x1]", "did you mean 'shape'", "space.shapes"),
        ("space.width=[7]", "use a multiple of 4", "space.width"),
        ("space.cell={dense: -1}", "greater than 0", "space.cell"),
        ("space.shape=[99x99]", "over 256 cells", "space.shape"),
        ("space.shape=[1x1000000000]", "match pattern", "space.shape"),
        ("model={name: mlp, features: 10}", "name: generated", "model"),
        ("model={type: Dense, features: 10}", "name: generated", "model"),
        ("model.genome={}", "or a genome", "model"),
    ],
)
def test_spaces_that_cannot_be_searched_are_refused_with_their_place(tmp_path, override, text, place):
    with pytest.raises(ConfigError, match=text) as raised:
        space_of(*config_in(tmp_path, override))
    assert place in raised.value.problems[0].place and not (tmp_path / "run").exists()


@pytest.mark.parametrize("override", ["space=5", "search.population=0", "search.crossover=1.5", "search.size=3", "data=[1]"])
def test_sections_of_the_wrong_kind_are_refused(tmp_path, override):
    with pytest.raises(ConfigError, match=override.partition("=")[0]):
        config_in(tmp_path, override)


def test_the_packaged_search_has_a_space():
    config, places = read_config(find_config("digits_search"))
    assert len(space_of(config, places).cell) > 1
