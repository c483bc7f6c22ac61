"""What a file format is to the rest of the package: how it is recognised, and the module that reads and writes it.

The module of a format offers what the format can do, with these names::

    read(path, **options) -> Network          a model with its parameters
    write(network, path, **options) -> None
    summarize(path) -> Summary                without building anything
    load_function(path, **options) -> Callable    for files that can be run but not taken apart

and imports what not everybody has, or what takes long to import, inside its functions.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from zerfoo_jax.core.errors import ConfigError
from zerfoo_jax.core.fields import check_options, options

Verb = Literal["read", "write", "summarize", "load_function"]

EXTRAS = {"onnx": "onnx", "google": "onnx"}
"""Which extra of this package brings a package that a format needs."""


@dataclass(frozen=True)
class Format:
    """One file format. `recognises` takes the file's first 64 bytes, for files whose name does not say what they are."""

    name: str
    about: str
    extensions: tuple[str, ...]
    module: ModuleType
    recognises: Callable[[bytes], bool] = lambda head: False

    def can(self, verb: Verb) -> bool:
        """Whether files of this format can be read, written or summarised."""
        return hasattr(self.module, verb)

    def function(self, verb: Verb) -> Callable[..., Any]:
        """The format's function of that name; `ConfigError` where it has none."""
        if not self.can(verb):
            raise ConfigError(f"zerfoo cannot {verb} {self.name} files", fix=f"what it can: {self.about}")
        return getattr(self.module, verb)

    def options(self, verb: Verb) -> tuple[str, ...]:
        """The names of the options that the function takes."""
        return tuple(options(self.function(verb)))

    def call(self, verb: Verb, *arguments: Any, **given: Any) -> Any:
        """Calls the format's function; raises `ConfigError` for options that it does not take or that are not acceptable.

        So is a package that the format needs and that is not installed.
        """
        checked, problems = check_options(self.function(verb), given)
        if problems:
            raise ConfigError([replace(problem, cause=f"{self.name}: {problem.cause}") for problem in problems])
        try:
            return self.function(verb)(*arguments, **checked)
        except ModuleNotFoundError as error:
            needed = (error.name or "").split(".")[0]
            fix = f"pip install 'zerfoo-jax[{EXTRAS.get(needed, needed)}]'"
            raise ConfigError(f"to {verb} {self.name} files the package {needed!r} is needed", fix=fix) from error


def by_extension(path: Path, formats: dict[str, Format]) -> Format | None:
    """The format that a file's name says; the longest extension wins, so that `.onnx.json` is not `.json`."""
    fitting = [(ext, one) for one in formats.values() for ext in one.extensions if path.name.lower().endswith(ext)]
    return max(fitting, key=lambda found: len(found[0]))[1] if fitting else None
