"""Checks the fields of frozen dataclasses, and the options of functions, against their own type annotations.

One mechanism serves Python constructors, YAML files and the command line: the annotation is the schema. `PositiveInt` and the
other names below are the vocabulary that annotations use beyond plain types.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
import inspect
from typing import Annotated, Any, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MinLen
import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import ErrorDetails

from zerfoo_jax.core.errors import ConfigError, Problem, brief, nearest

LARGEST = 2**31 - 1
"""Steps, sizes and seeds are held in 32 bits on the device."""

PositiveInt = Annotated[int, Gt(0), Le(LARGEST)]
PositiveInts = Annotated[tuple[PositiveInt, ...], MinLen(1)]
NonNegativeInt = Annotated[int, Ge(0), Le(LARGEST)]
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
Probability = Annotated[float, Ge(0), Lt(1)]
Fraction = Annotated[float, Ge(0), Le(1)]

TypeAdapter(PositiveInt)  # pydantic loads half of itself with the first adapter: now, and not in the middle of making a model

_ARBITRARY = ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False)


@cache
def options(member: Callable[..., Any]) -> dict[str, Any]:
    """The annotation of every option of a table member: a dataclass's fields, or a function's keyword-only parameters."""
    target = member.__init__ if inspect.isclass(member) else member
    hints = get_type_hints(member if inspect.isclass(member) else target, include_extras=True)
    names = [
        name
        for name, parameter in inspect.signature(member).parameters.items()
        if inspect.isclass(member) or parameter.kind is parameter.KEYWORD_ONLY
    ]
    return {name: hints.get(name, Any) for name in names}


@cache
def required_options(member: Callable[..., Any]) -> frozenset[str]:
    """The options that have no default."""
    parameters = inspect.signature(member).parameters
    return frozenset(name for name in options(member) if parameters[name].default is inspect.Parameter.empty)


@cache
def adapter(hint: Any) -> TypeAdapter[Any]:
    """What checks values against an annotation, and describes them."""
    try:
        return TypeAdapter(hint, config=_ARBITRARY)
    except PydanticUserError:  # the type brings its own config
        return TypeAdapter(hint)


def plain(value: Any) -> Any:
    """Lists become tuples (so that specs hash) and NumPy scalars become Python numbers."""
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return tuple(plain(item) for item in value)
    return value.item() if isinstance(value, np.generic) else value


def check_value(hint: Any, value: Any) -> tuple[Any, str]:
    """Returns `(checked value, complaint)`; the complaint is empty when the value fits the annotation."""
    value = plain(value)
    try:
        return adapter(hint).validate_python(value, strict=True), ""
    except ValidationError as error:
        return value, sentence(error.errors(include_url=False))


_PLAIN_WORDS = {
    "dict_type": "should be a mapping",
    "missing": "should have more items",
    "model_type": "should be a mapping",
    "string_type": "should be text",
    "tuple_type": "should be a list",
}


def sentence(errors: Sequence[ErrorDetails]) -> str:
    """What is wrong with one value; where several types are possible, each has its own complaint.

    >>> from typing import Literal
    >>> check_value(Literal["a"] | PositiveInt, -1)[1]
    "should be 'a' or greater than 0"
    """
    messages = dict.fromkeys(
        _PLAIN_WORDS.get(error["type"]) or error["msg"].replace("Input should", "should").removeprefix("Value error, ")
        for error in errors
    )
    return " or ".join(messages).replace(" or should be ", " or ")


def check_options(member: Callable[..., Any], given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Checks `given` against the options of `member`; returns the checked values and every problem found.

    A problem's place is the option's name.
    """
    name = getattr(member, "__name__", str(member))
    known = options(member)
    checked: dict[str, Any] = {}
    problems = [Problem(f"{name} has no option {key!r}", str(key), nearest(key, known)) for key in given if key not in known]
    problems += [
        Problem(f"{name} needs {key!r}", "", f"add {key}: ...") for key in sorted(required_options(member)) if key not in given
    ]
    for key in known:
        if key in given:
            checked[key], complaint = check_value(known[key], given[key])
            if complaint:
                problems.append(Problem(f"{name}.{key} = {brief(given[key])}: {complaint}", key))
    return checked, problems


def check_fields(instance: Any) -> None:
    """`__post_init__` of every spec: normalises the fields in place and raises one `ConfigError` naming all bad ones."""
    cls = type(instance)
    checked, problems = check_options(cls, {name: getattr(instance, name) for name in options(cls)})
    if problems:
        raise ConfigError(problems)
    for name, value in checked.items():
        object.__setattr__(instance, name, value)  # frozen: the one place that writes, before anyone has seen it
