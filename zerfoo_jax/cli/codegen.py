"""`zerfoo codegen`: any model as Python, YAML or JSON."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from zerfoo_jax.cli.arguments import OverrideArguments
from zerfoo_jax.core.errors import ConfigError


class Form(StrEnum):
    """What a model can be written as."""

    PYTHON = "python"
    YAML = "yaml"
    JSON = "json"


SUFFIXES = {".py": Form.PYTHON, ".yaml": Form.YAML, ".yml": Form.YAML, ".json": Form.JSON}


def codegen(
    model: Annotated[str, typer.Argument(help="A model file, config, architecture or run folder.")],
    overrides: OverrideArguments = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write; default: print it.")] = None,
    to: Annotated[Form | None, typer.Option(help="The form; default: by the file's suffix, else python.")] = None,
    name: Annotated[str | None, typer.Option(help="The name of the Python class; default: after MODEL.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over the file if there is one.")] = False,
) -> None:
    """Write a model down: as the Python class of its nodes, as YAML or as JSON. Trains and allocates nothing."""
    from zerfoo_jax.experiment.model_source import read_model
    from zerfoo_jax.formats.operators.layers import LAYERS_AND_OPERATORS
    from zerfoo_jax.graph import to_json, to_python, to_yaml

    form = to or (SUFFIXES.get(output.suffix, Form.PYTHON) if output else Form.PYTHON)
    if output and output.exists() and not force:
        raise ConfigError(f"{str(output)!r} exists already", fix="choose another name with --output, or add --force")
    opened = read_model(model, overrides or [])
    if form is Form.PYTHON:
        text = to_python(opened, _class_for(model) if name is None else name)
    else:
        text = {Form.YAML: to_yaml, Form.JSON: to_json}[form](opened, LAYERS_AND_OPERATORS)
    if output is None:
        print(text, end="")
        return
    _write(output, text, "w" if force else "x")
    print(output)


def _class_for(model: str) -> str:
    from zerfoo_jax.graph import TABLE
    from zerfoo_jax.graph.writing.codegen.names import class_name

    name = class_name([Path(model).stem])
    return f"{name}Model" if name in TABLE else name


def _write(path: Path, text: str, mode: str) -> None:
    try:
        with path.open(mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"cannot write {str(path)!r}: {error.strerror}", fix="choose another place with --output") from error
