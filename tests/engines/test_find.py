import sys

import jax
import jax.numpy as jnp
import pytest

from zerfoo_jax.core.errors import ConfigError, EngineError
from zerfoo_jax.engines import ENGINES, Debug, Engine, Xla, available_engines, engine_of

PLUGIN = """
from dataclasses import dataclass
from zerfoo_jax.engines import Engine

@dataclass(frozen=True)
class Doubling(Engine):
    times: int = 2

    def compile(self, function, *, donate=()):
        return lambda *xs: self.times * function(*xs)

ENGINE = Doubling()
NOT_ONE = 3
"""
NAMES = """
[zerfoo_jax.engines]
doubling = fake_engines:ENGINE
broken = fake_engines:MISSING
absent = no_such_module:ENGINE
number = fake_engines:NOT_ONE
xla = fake_engines:ENGINE
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """An installed package with engines good and bad."""
    (tmp_path / "fake_engines.py").write_text(PLUGIN)
    info = tmp_path / "fake_engines-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fake-engines\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(NAMES)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("fake_engines", None)


def test_the_table_is_sorted_and_of_engines():
    assert list(ENGINES) == sorted(ENGINES) and all(isinstance(engine, Engine) for engine in ENGINES.values())


def test_a_name_a_mapping_or_an_engine():
    assert engine_of("xla") == Xla()
    assert engine_of({"name": "debug", "nodes": "a*", "stop_at_nonfinite": False}) == Debug("a*", False)
    assert engine_of(Debug("b")) == Debug("b")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("xlb", "unknown engine 'xlb'\n  fix: did you mean 'xla'? known: debug, eager, xla"),
        ({"nodes": "a"}, "unknown engine None"),
        ({"name": "debug", "node": "a"}, "Debug has no option 'node'\n  at node\n  fix: did you mean 'nodes'?"),
        ({"name": "debug", "stop_at_nonfinite": 3}, "Debug.stop_at_nonfinite = 3: should be a valid boolean"),
        ({"name": "debug", "log_bytes": 0}, "Debug.log_bytes = 0: should be greater than 0"),
        ({"name": "xla", "donate": True}, "Xla has no option 'donate'"),
    ],
)
def test_what_is_not_known_is_refused(given, words):
    with pytest.raises(ConfigError) as caught:
        engine_of(given)
    assert words in str(caught.value)


@pytest.mark.usefixtures("plugin")
def test_an_installed_engine_is_found_with_its_options():
    function = engine_of({"name": "doubling", "times": 3}).compile(lambda x: x + 1)
    assert function(4) == 15
    with pytest.raises(ConfigError, match=r"Doubling has no option 'tmes'"):
        engine_of({"name": "doubling", "tmes": 3})
    with pytest.raises(ConfigError, match="did you mean 'doubling'"):
        engine_of("dubling")


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("broken", "engine 'broken' cannot be loaded: AttributeError"),
        ("absent", "engine 'absent' cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        ("number", "engine 'number' is 3 and no zerfoo_jax.engines.Engine"),
    ],
)
def test_a_broken_plugin_says_so_and_stops_no_other(name, words):
    with pytest.raises(EngineError) as caught:
        engine_of(name)
    assert words in str(caught.value) and "mend or remove the package 'fake-engines'" in str(caught.value)
    found = available_engines()
    assert words in str(found[name])
    assert isinstance(found["doubling"], Engine) and found["xla"] == Xla()


@pytest.mark.usefixtures("plugin")
def test_a_plugin_cannot_take_a_built_in_name():
    assert engine_of("xla") == Xla()
    assert "the name 'xla' is taken" in str(available_engines()["xla of fake-engines"])


def test_xla_donates():
    x = jnp.arange(3.0)
    y = ENGINES["xla"].compile(lambda x: x + 1, donate=(0,))(x)
    assert y.tolist() == [1, 2, 3] and x.is_deleted() and ENGINES["xla"].describe()["donation"]
    x = jnp.arange(3.0)
    ENGINES["eager"].compile(lambda x: x + 1, donate=(0,))(x)
    assert not x.is_deleted() and not ENGINES["eager"].describe()["donation"]


@pytest.mark.parametrize("name", ["debug", "eager"])
def test_interpreted_functions_are_not_transformed(name):
    run = ENGINES[name].compile(lambda x: x * x)
    with pytest.raises(EngineError, match="differentiate, map and compile first"):
        jax.grad(run)(1.0)
