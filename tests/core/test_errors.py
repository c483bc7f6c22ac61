import pytest

from zerfoo_jax.core import errors
from zerfoo_jax.core.errors import MAX_LISTED, ConfigError, DataError, Problem, ZerfooError, brief, join_path, nearest


def test_an_error_has_cause_place_and_way_out():
    error = ConfigError("features = -3: should be greater than 0", place="a.yaml:3:5", fix="give a width")
    assert str(error).splitlines() == ["features = -3: should be greater than 0", "  at a.yaml:3:5", "  fix: give a width"]
    assert error.problems == (Problem("features = -3: should be greater than 0", "a.yaml:3:5", "give a width"),)


def test_several_problems_are_numbered():
    error = DataError([Problem("one", "here"), Problem("two")])
    assert str(error).splitlines() == ["2 problems:", "1. one", "  at here", "2. two"]


def test_a_long_list_is_cut_but_kept():
    error = ConfigError([Problem(f"number {i}") for i in range(1000)])
    assert len(error.problems) == 1000
    assert str(error).splitlines()[0] == "1000 problems:"
    assert str(error).splitlines()[-1] == f"and {1000 - MAX_LISTED} more"


def test_every_error_is_a_zerfoo_error():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) == 10
    assert all(issubclass(kind, ZerfooError) for kind in kinds)


@pytest.mark.parametrize(("prefix", "path", "joined"), [("a", "b", "a/b"), ("", "b", "b"), ("a", "", "a"), ("", "", "")])
def test_paths_join(prefix, path, joined):
    assert join_path(prefix, path) == joined
    assert Problem("x", path).under(prefix).place == joined


def test_nearest_gives_the_likely_spelling_and_all_names():
    assert nearest("optimzer", ["data", "optimizer"]) == "did you mean 'optimizer'? known: data, optimizer"
    assert nearest("zzz", ["b", "a"]) == "known: a, b"
    assert nearest(3, ["a"]) == "known: a"
    assert nearest("a", []) == "known: none"


def test_nearest_lists_a_few_of_many_names():
    names = [f"name_{i:04}" for i in range(1000)]
    text = nearest("name_099", names)
    assert text.endswith(f"and {1000 - MAX_LISTED} more")
    assert "did you mean 'name_099" in text
    assert len(text) < 1000


def test_a_brief_value_is_short():
    assert brief("abc") == "'abc'"
    assert len(brief([1] * 100_000)) < 210
    assert brief(10**5000) == "a very long int"
