import numpy as np
import pytest

from zerfoo_jax.core.errors import DataError
from zerfoo_jax.data.table import csv

ROWS = [(1.5, 10, "b"), (-2, 20, "a"), (3, 30, "c"), (4, 41, "a"), (7, 50, "b"), (0.25, 60, "a")]


def write(folder, text):
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return str(folder / "t.csv")


def table(folder, delimiter=","):
    lines = ["width,count,kind", *(f"{a},{b},{c}" for a, b, c in ROWS)]
    return write(folder, "\n".join(lines).replace(",", delimiter))


def everything(part):
    return part.batch(np.arange(len(part)))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_classes_are_sorted_and_features_standardised_on_the_training_rows(tmp_path, delimiter):
    data = csv(path=table(tmp_path, delimiter), target="kind", delimiter=delimiter, held_out=3)
    x = np.array([row[:2] for row in ROWS])
    train = np.array([0, 1, 3, 4])
    expected = (x - x[train].mean(0)) / x[train].std(0)
    np.testing.assert_allclose(everything(data.train)["inputs"], expected[train], rtol=1e-5)
    np.testing.assert_allclose(everything(data.validation)["inputs"], expected[[2, 5]], rtol=1e-5)
    assert data.classes == ("a", "b", "c") and data.kind == "classification"
    assert everything(data.train)["targets"].tolist() == [1, 0, 0, 1]
    assert data.baselines["majority_accuracy"] == 0.5


def test_regression_and_chosen_features(tmp_path):
    data = csv(path=table(tmp_path), target="width", features=("count",), standardize=False, held_out=2)
    assert data.kind == "regression"
    np.testing.assert_array_equal(everything(data.validation)["inputs"], [[20], [41], [60]])
    np.testing.assert_array_equal(everything(data.validation)["targets"], [[-2], [4], [0.25]])
    mean = np.mean([1.5, 3, 7])
    assert data.baselines["mean_rmse"] == pytest.approx(np.sqrt(np.mean((np.array([-2, 4, 0.25]) - mean) ** 2)))


def test_whole_numbers_are_classes_in_their_order_unless_told_otherwise(tmp_path):
    path = write(tmp_path, "x,y\n" + "".join(f"{i},{10 * (i % 3)}\n" for i in range(9)))
    assert csv(path=path, target="y").classes == ("0", "10", "20")
    assert csv(path=path, target="y", kind="regression").kind == "regression"


def test_quotes_blank_lines_byte_order_mark_windows_lines_and_constant_columns(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b'\xef\xbb\xbf"a, b",c\r\n1,x\r\n\r\n1,"y\nz"\r\n')
    data = csv(path=str(path), target="c", held_out=2)
    assert data.classes == ("x", "y\nz")
    assert everything(data.train)["inputs"].tolist() == [[0.0]]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a,b\n1,2\n3,oops\n", "t.csv:3:b"),
        ("a,b\n1,\n", "t.csv:2:b"),
        ("a,b\n1,nan\n", "t.csv:2:b"),
        ("a,b\n1,1e999\n", "t.csv:2:b"),
        ("a,b\n1,1_0\n", "t.csv:2:b"),
        ("a,b\n1,2\n3\n", "t.csv:3"),
        ("a,b\n,2\n", "t.csv:2:a"),
        ("a,b\n1,2\n2,2\nx,2\n", "t.csv:4:a"),
        ("a,a\n1,2\n", "t.csv:1"),
        ("b,c\n1,2\n", "t.csv:1"),
        ("a,b\n", "t.csv"),
    ],
)
def test_errors_name_the_place(tmp_path, text, place):
    with pytest.raises(DataError) as caught:
        csv(path=write(tmp_path, text), target="a")
    assert caught.value.problems[0].place.endswith(place)
