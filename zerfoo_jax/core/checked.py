"""Functions of tables check their options alike, whether a config file or Python gives them."""

from collections.abc import Callable
from functools import cache, wraps
import inspect
from typing import Any, ParamSpec, TypeVar, get_args, get_type_hints

from zerfoo_jax.core.errors import ConfigError, Problem, brief
from zerfoo_jax.core.fields import check_options, check_value, options
from zerfoo_jax.core.types import Array

Parameters = ParamSpec("Parameters")
Made = TypeVar("Made")


def checked(function: Callable[Parameters, Made]) -> Callable[Parameters, Made]:
    """The function behind a check of its arguments against their annotations: one `ConfigError` names all bad ones.

    >>> from zerfoo_jax.core.fields import Probability
    >>> @checked
    ... def decay(rate: float, *, momentum: Probability = 0.9): ...
    >>> decay(0.1, momentum=2)
    Traceback (most recent call last):
    zerfoo_jax.core.errors.ConfigError: decay.momentum = 2: should be less than 1
      at momentum
    """
    signature = inspect.signature(function)

    @wraps(function)
    def call(*positional: Parameters.args, **named: Parameters.kwargs) -> Made:
        chosen, problems = check_options(function, {k: v for k, v in named.items() if not _is_positional(signature, k)})
        leading = {k: v for k, v in named.items() if _is_positional(signature, k)}
        given = signature.bind(*positional, **leading, **{k: None for k in options(function)}).arguments
        hints = _hints(function)
        for name in given:
            # Arrays and optimizers are left to the function itself: Pydantic would rebuild what it checks.
            skipped = name in options(function) or isinstance(hints[name], type) or Array in get_args(hints[name])
            complaint = "" if skipped else check_value(hints[name], given[name])[1]
            if complaint:
                problems.append(Problem(f"{function.__name__}.{name} = {brief(given[name])}: {complaint}", name))
        if problems:
            raise ConfigError(problems)
        return function(*positional, **leading, **chosen)  # type: ignore[call-arg] - as the signature has them

    return call


@cache
def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    return get_type_hints(function, include_extras=True)


def _is_positional(signature: inspect.Signature, name: str) -> bool:
    parameter = signature.parameters.get(name)
    return parameter is not None and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
