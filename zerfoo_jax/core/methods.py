"""What can be called on an object or a class, as data."""

from collections.abc import Callable
import inspect
from typing import Any, get_type_hints

from zerfoo_jax.core.documentation import summary
from zerfoo_jax.core.errors import ConfigError, brief
from zerfoo_jax.core.signatures import type_name
from zerfoo_jax.core.spec import to_plain


def methods(x: Any) -> list[dict[str, Any]]:
    """The public methods of a class or an object, or a function by itself, sorted by name and ready for JSON.

    Each is `{method_name, parameters: [{name, type, default?}], returns, summary}`, the keys of LOOM's GetMethods; types are
    written as `zerfoo layers` writes them. `self` is left out, and a parameter that takes any number of values is called
    `*xs` or `**mode`. Raises `ConfigError` for modules.

    >>> from zerfoo_jax.layers import Dense
    >>> {"parameters": [{"name": "params", "type": "Mapping"}, {"name": "x", "type": "Array"}], "returns": "Array"}.items() <= (
    ...     next(method for method in methods(Dense(3)) if method["method_name"] == "forward")
    ... ).items()
    True
    """
    if inspect.ismodule(x):
        raise ConfigError(f"{brief(x)} is a module", fix="name a class, an object or a function of it")
    if inspect.isroutine(x):
        return [_described(x.__name__, x)]
    # Looked up on the class: on an object, properties would be computed.
    cls = x if inspect.isclass(x) else type(x)
    found = {name: inspect.getattr_static(cls, name) for name in dir(cls) if not name.startswith("_")}
    return [_described(name, getattr(cls, name)) for name, one in found.items() if _is_method(one)]


def _is_method(x: Any) -> bool:
    return inspect.isroutine(x) or isinstance(x, staticmethod | classmethod)


def _described(name: str, method: Callable[..., Any]) -> dict[str, Any]:
    try:
        signature = inspect.signature(method)
    except ValueError:  # built in
        return {"method_name": name, "parameters": [], "returns": "any", "summary": summary(method)}
    hints = _hints(method)
    parameters = [_parameter(p, hints) for p in signature.parameters.values() if p.name != "self"]
    returns = type_name(hints.get("return", Any))
    return {"method_name": name, "parameters": parameters, "returns": returns, "summary": summary(method)}


def _hints(method: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(method, include_extras=True)
    except NameError:  # a name that is imported for type checkers alone
        return {}


def _parameter(parameter: inspect.Parameter, hints: dict[str, Any]) -> dict[str, Any]:
    star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    given = {"name": star + parameter.name, "type": type_name(hints.get(parameter.name, Any))}
    if parameter.default is parameter.empty:
        return given
    default = to_plain(parameter.default)
    return {
        **given,
        "default": default if isinstance(default, bool | int | float | str | list | dict | None) else repr(default),
    }
