import numpy as np
import pytest
from scipy.stats import entropy

from zerfoo_jax.core.errors import ConfigError, DataError
from zerfoo_jax.data.text import text


def written(part) -> bytes:
    batch = part.batch(np.arange(len(part)))
    return bytes([batch["inputs"][0, 0], *batch["targets"].ravel()])


def test_whole_files_are_held_out_in_the_order_of_their_names(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("d", "a", "sub/c", "b", ".hidden", "e"):
        (tmp_path / name).write_text(f"<{name}>" * 5)
    data = text(path=str(tmp_path), sequence_length=1, validation_fraction=0.4)
    assert written(data.validation).decode() == "<b>" * 5 + "<e>" * 5
    assert written(data.train).decode() == "<a>" * 5 + "<d>" * 5 + "<sub/c>" * 5


def test_a_pattern_a_limit_and_a_single_file(tmp_path):
    (tmp_path / "a.txt").write_text("abcdefghij")
    (tmp_path / "b.txt").write_text("klmnopqrst")
    (tmp_path / "c.md").write_text("no")
    data = text(path=str(tmp_path / "*.txt"), sequence_length=1, max_bytes=16)
    assert (written(data.train), written(data.validation)) == (b"abcdefghij", b"klmnop")
    data = text(path=str(tmp_path / "a.txt"), sequence_length=1, validation_fraction=0.3)
    assert (written(data.train), written(data.validation)) == (b"abcdefg", b"hij")


def test_baselines_against_scipy(tmp_path):
    (tmp_path / "a").write_text("abracadabra" * 3)
    (tmp_path / "b").write_text("banana bandana")
    data = text(path=str(tmp_path), sequence_length=3)
    own = np.bincount(np.frombuffer(b"banana bandana", np.uint8), minlength=256) / 14
    smoothed = np.bincount(np.frombuffer(b"abracadabra" * 3, np.uint8), minlength=256) + 1
    smoothed = smoothed / smoothed.sum()
    assert data.baselines["unigram_entropy_bits"] == pytest.approx(entropy(own, base=2))
    cross = entropy(own, base=2) + entropy(own, smoothed, base=2)
    assert data.baselines["train_unigram_cross_entropy_bits"] == pytest.approx(cross)


def test_the_standard_library_is_there_and_large_enough():
    data = text(source="python_stdlib", sequence_length=256)
    assert 4_000_000 < (len(data.train) + len(data.validation)) * 256 <= 8_000_000
    assert 0.02 < len(data.validation) / len(data.train) < 0.12
    assert 4 < data.baselines["unigram_entropy_bits"] < 5.2


def test_path_or_source():
    for given in ({}, {"path": "x", "source": "python_stdlib"}):
        with pytest.raises(ConfigError, match="either path or source"):
            text(sequence_length=3, **given)


def test_what_is_no_text(tmp_path):
    (tmp_path / "a").write_bytes(b"ab\0c")
    with pytest.raises(DataError, match="NUL"):
        text(path=str(tmp_path), sequence_length=3)
