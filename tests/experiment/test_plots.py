import shutil
import struct

import numpy as np
import pytest

from zerfoo_jax.core.errors import DataError
from zerfoo_jax.experiment import plots
from zerfoo_jax.experiment.plots import confusion, curves_of, panels_of, plot_run
from zerfoo_jax.experiment.trained import open_run

Figure = pytest.importorskip("matplotlib.figure").Figure


def size_of(path):
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", data[16:24])


def test_curves_leave_out_what_was_not_finite():
    records = [{"step": 1, "a": 1.0, "b": None}, {"step": 2, "a": 2.0, "b": 3.0}]
    assert curves_of(records) == {"a": [(1, 1.0), (2, 2.0)], "b": [(2, 3.0)]}


def test_a_metric_of_both_parts_shares_a_panel():
    assert list(panels_of({"train/loss": [], "lr": [], "validation/loss": []}).values()) == [
        ["train/loss", "validation/loss"],
        ["lr"],
    ]


def test_the_confusion_matrix_counts_every_validation_example(tiny_run):
    trained = open_run(tiny_run)
    counts = confusion(trained)
    assert counts.shape == (10, 10)
    assert counts.sum() == 359
    source = trained.wired.dataset.validation
    batch = source.batch(np.arange(len(source)))
    truth = np.bincount(batch["targets"], minlength=10)
    np.testing.assert_array_equal(counts.sum(1), truth)
    outputs, _ = trained.wired.model.apply(trained.state.params, trained.state.state, batch["inputs"])
    expected = np.zeros((10, 10), int)
    np.add.at(expected, (batch["targets"], np.asarray(outputs).argmax(-1)), 1)
    np.testing.assert_array_equal(counts, expected)


@pytest.mark.parametrize(
    ("count", "names"), [(1, ()), (3, ("a", "b")), (2, ("a", "b", "unseen")), (12, ("a long name",) * 12), (500, ())]
)
def test_any_number_of_classes_gives_a_picture_of_sane_size(tmp_path, count, names):
    counts = np.random.default_rng(0).integers(0, 3, (count, count))
    figure = plots._draw_confusion(Figure, counts, names)
    width, height = size_of(plots.save_figure(figure, tmp_path / "c.png"))
    assert 100 < width < 4000 and 100 < height < 4000


def test_a_matrix_of_nothing(tmp_path):
    plots.save_figure(plots._draw_confusion(Figure, np.zeros((2, 2)), ()), tmp_path / "c.png")


def test_a_run_that_has_logged_nothing(tiny_run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(tiny_run, folder)
    (folder / "metrics.jsonl").write_text("")
    with pytest.raises(DataError, match="nothing to draw"):
        plot_run(folder)
    (folder / "metrics.jsonl").unlink()
    with pytest.raises(DataError, match="train the run first"):
        plot_run(folder)
