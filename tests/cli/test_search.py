import json

import pytest

from zerfoo_jax.experiment.search import trial as trial_module
from zerfoo_jax.experiment.train import Finished

SPACE = """
name: tiny
model: {name: generated, features: 10}
space: {shape: [1x1], cell: [dense], width: [8], num_heads: [2], activation: [relu]}
data: {name: digits}
optimizer: {name: adam}
train: {steps: 2, batch_size: 32}
checkpoint: {monitor: validation/loss}
"""
SCORES = ("validation/accuracy", "validation/loss")


@pytest.fixture
def scores(monkeypatch):
    """In place of training: a score by the trial's number."""

    def train(wired, folder, **options):
        folder.path.mkdir(parents=True)
        return Finished(0, {"metrics": dict.fromkeys(SCORES, int(wired.config.name[-3:]) + 0.5)})

    monkeypatch.setattr(trial_module, "train", train)


def test_prints_the_leaderboard_and_says_where_everything_is(invoke, scores, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "space.yaml").write_text(SPACE)
    result = invoke("search", "space.yaml", "data=digits", "--trials", 3, "--seed", 4, "--run", "found")
    assert result.exit_code == 0
    assert [text in result.stdout for text in ("validation/loss", "0.5000", "2.5000", "1x1 dense")] == [True] * 4
    assert result.stdout.splitlines()[-2:] == ["found/plots/search.png", "search folder found"]
    assert (tmp_path / "found/plots/search.png").read_bytes().startswith(b"\x89PNG")
    assert result.stderr.count("trial ") == 3
    board = json.loads((tmp_path / "found" / "leaderboard.json").read_text())
    assert [trial["number"] for trial in board["trials"]] == [0, 1, 2], "the least loss is the best"


def test_a_file_with_a_space_alone_is_enough(invoke, scores, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my space.yaml").write_text("space: {shape: [1x1], cell: [dense], width: [8], num_heads: [2]}\n")
    result = invoke("search", "my space.yaml", "data=digits", "--trials", 1)
    assert result.exit_code == 0 and "search folder runs/my_space" in result.stdout
    refused = invoke("search", "my space.yaml", "--trials", 1)
    assert refused.exit_code == 2 and "'data' is missing" in refused.stderr


def test_a_changed_seed_is_refused_and_without_time_nothing_is_drawn(invoke, scores, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "space.yaml").write_text(SPACE)
    result = invoke("search", "space.yaml", "--trials", 1, "--minutes", 0)
    assert result.exit_code == 0 and "no picture" in result.stderr and (tmp_path / "runs" / "tiny").is_dir()
    refused = invoke("search", "space.yaml", "--trials", 1, "--seed", 1)
    assert refused.exit_code == 2 and refused.stdout == "" and "+seed: 1" in refused.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SPACE.replace("space:", "spaces:"), "did you mean 'space'"),
        (SPACE.replace("cell: [dense]", "cell: [gru]"), "space.yaml:4:"),
        (SPACE.replace("width: [8]", "width: [.inf]"), "space.width"),
        (SPACE.replace("width: [8]", "width: &a [*a]"), "space.yaml"),
        (SPACE.replace("[dense]", "!!python/object:os.system [dense]"), "not allowed"),
    ],
)
def test_hostile_space_files_exit_with_2(invoke, tmp_path, monkeypatch, text, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "space.yaml").write_text(text)
    result = invoke("search", "space.yaml")
    assert result.exit_code == 2 and words in result.stderr
    assert not (tmp_path / "runs").exists()
