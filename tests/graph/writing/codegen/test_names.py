import keyword

from hypothesis import given
from hypothesis import strategies as st

from tests.support.random_graphs import ODD_NAMES
from zerfoo_jax.graph.writing.codegen.names import RESERVED, attributes, class_for

NAMES = st.one_of(st.text(min_size=1), st.sampled_from(ODD_NAMES), st.from_regex(r"[a-z_][a-z0-9_]{0,3}", fullmatch=True))


@given(st.lists(NAMES, unique=True))
def test_every_name_has_an_attribute_of_its_own(names):
    found = attributes(names)
    assert list(found) == names and len(set(found.values())) == len(names)
    assert all(one.isidentifier() and one.islower() and not keyword.iskeyword(one) for one in found.values())
    assert not RESERVED & set(found.values())


def test_a_good_name_is_left_to_who_has_it():
    assert attributes(["Conv", "conv", "CONV"]) == {"Conv": "conv_2", "conv": "conv", "CONV": "conv_3"}


@given(st.lists(st.lists(NAMES, min_size=1, max_size=3), min_size=1, max_size=4), st.integers(0, 3))
def test_classes_have_free_names(path, times):
    taken: set[str] = set()
    for _ in range(times + 1):
        name = class_for(path, taken)
        assert name.isidentifier() and name not in taken and len(name) > 1 and not keyword.iskeyword(name)
        taken.add(name)
