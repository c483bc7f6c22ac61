"""What can be called, read off real signatures."""

import inspect
import json

import pytest

import zerfoo_jax as zf
from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.engines import ENGINES
from zerfoo_jax.experiment.tables import TABLES
from zerfoo_jax.layers import LAYERS, Conv2D, LayerNorm


def test_every_member_of_every_table_can_be_listed():
    for members in TABLES.values():
        for one in members.values():
            for method in json.loads(json.dumps(zf.methods(one))):
                assert set(method) == {"method_name", "parameters", "returns", "summary"}
                assert all({"name", "type"} <= set(parameter) for parameter in method["parameters"])


def test_layers_have_the_methods_that_python_finds():
    for cls in LAYERS.values():
        expected = [name for name, _ in inspect.getmembers(cls, inspect.isroutine) if not name.startswith("_")]
        assert [method["method_name"] for method in zf.methods(cls)] == expected


def test_an_object_has_the_methods_of_its_class():
    assert zf.methods(LayerNorm()) == zf.methods(LayerNorm)
    assert "compile" in [method["method_name"] for method in zf.methods(ENGINES["xla"])]


def test_types_and_defaults_are_those_of_the_signature():
    class Example:
        """An example."""

        def run(self, x: int, *more: float, mode: str | None = None, size: tuple[int, int] = (1, 2)) -> bool:
            """Runs it.

            At length.
            """
            return bool(x)

        @property
        def costly(self) -> int:
            raise AssertionError

        @staticmethod
        def still(y) -> None:
            pass

    assert zf.methods(Example()) == [
        {
            "method_name": "run",
            "parameters": [
                {"name": "x", "type": "int"},
                {"name": "*more", "type": "float"},
                {"name": "mode", "type": "str | None", "default": None},
                {"name": "size", "type": "(int, int)", "default": [1, 2]},
            ],
            "returns": "bool",
            "summary": "Runs it.",
        },
        {"method_name": "still", "parameters": [{"name": "y", "type": "any"}], "returns": "None", "summary": ""},
    ]


def test_ranges_are_part_of_a_type():
    (made,) = zf.methods(zf.optim.adamw)
    assert {"name": "b1", "type": "float >= 0 < 1", "default": 0.9} in made["parameters"]
    assert zf.methods(Conv2D)[0]["method_name"] == "apply"


def test_a_module_has_no_methods():
    with pytest.raises(ConfigError, match="is a module"):
        zf.methods(zf.layers)
