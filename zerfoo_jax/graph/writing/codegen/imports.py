"""The import lines of a module, in isort's order."""

from collections.abc import Iterator, Sequence, Set
import inspect
import re
from typing import Any

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.graph.model_spec import TABLE
from zerfoo_jax.graph.writing.codegen.layout import WIDTH, Group, lines
from zerfoo_jax.graph.writing.codegen.names import first_free
from zerfoo_jax.layers import LAYERS


class Imports:
    """Collects what a module imports, and gives the names that it goes by there, beside those of the module's classes."""

    def __init__(self, classes: Set[str]) -> None:
        self._classes = classes
        self._names: dict[tuple[str, str], str] = {}

    @property
    def names(self) -> Set[str]:
        """The names that are taken by what is imported."""
        return set(self._names.values())

    def add(self, module: str, name: str) -> str:
        """The name under which `name` of that module is imported: another one where it is taken."""
        if (module, name) not in self._names:
            self._names[module, name] = first_free(name, {*self.names, *self._classes}, separator="")
        return self._names[module, name]

    def of_class(self, cls: type[Any]) -> str:
        """The name under which a layer's class is imported. Raises `ConfigError` for one that no module has."""
        name = cls.__name__
        if LAYERS.get(name) is cls or TABLE.get(name) is cls:
            return self.add("zerfoo_jax.layers" if name in LAYERS else "zerfoo_jax.graph", name)
        if getattr(inspect.getmodule(cls), name, None) is not cls or cls.__module__ == "__main__":
            raise ConfigError(f"{cls.__qualname__} cannot be imported", fix="put the class at the top level of a module")
        return self.add(cls.__module__, name)

    def lines(self) -> Iterator[str]:
        """The import lines. A name that goes by another has a line of its own."""
        together: dict[str, list[str]] = {}
        alone: list[tuple[str, list[str], str]] = []
        for (module, name), bound in self._names.items():
            if bound == name:
                together.setdefault(module, []).append(name)
            else:
                alone.append((module, [name], f" as {bound}"))
        statements = [(module, sorted(names, key=_order_of_members), "") for module, names in together.items()]
        for module, names, tail in sorted(
            [*statements, *alone], key=lambda one: (_natural(one[0]), _order_of_members(one[1][0]))
        ):
            yield from _import(module, names, tail)


def _import(module: str, names: Sequence[str], tail: str) -> Iterator[str]:
    opening = f"from {module} import "
    whole = f"{opening}{', '.join(names)}{tail}"
    group = Group("(", tuple(("", f"{name}{tail}") for name in names), ")")
    yield from [whole] if len(whole) <= WIDTH else lines(group, 0, opening, must_break=True)


def _order_of_members(name: str) -> tuple[int, Any, str]:
    """Constants, classes, the rest; inside each by letters and numbers."""
    kind = 0 if len(name) > 1 and name.isupper() else 1 if name[:1].isupper() else 2
    return kind, _natural(name), name


def _natural(name: str) -> list[Any]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name.lower())]
