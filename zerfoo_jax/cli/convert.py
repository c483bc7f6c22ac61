"""`zerfoo convert`: from one model file to another."""

from pathlib import Path
from typing import Annotated, Any

import typer

from zerfoo_jax.cli.writing import CheckOption, DtypeOption, OpsetOption, QuantizeOption, write_and_say
from zerfoo_jax.config.merge import lay_over
from zerfoo_jax.config.yaml import Document
from zerfoo_jax.core.errors import ConfigError, nearest

SettingArguments = Annotated[
    list[str] | None,
    typer.Argument(help="Options of the two formats, such as read.compatibility=loom or write.opset=20."),
]


def convert(
    source: Annotated[Path, typer.Argument(help="A model file, or a run folder.")],
    destination: Annotated[Path, typer.Argument(help="The file to write; its ending says the format.")],
    settings: SettingArguments = None,
    format: Annotated[str | None, typer.Option("--to", help="The format, where the file's ending does not say it.")] = None,
    dtype: DtypeOption = None,
    quantize: QuantizeOption = None,
    opset: OpsetOption = None,
    check: CheckOption = False,
) -> None:
    """Convert a model file to another format. `zerfoo inspect FILE` shows what is in one."""
    from zerfoo_jax.experiment.model_files import network_of

    given = _settings(settings or [])
    network = network_of(source, **given.get("read", {}))
    write_and_say(
        network, destination, given.get("write", {}), format=format, dtype=dtype, quantize=quantize, opset=opset, check=check
    )


def _settings(settings: list[str]) -> dict[str, dict[str, Any]]:
    """The options under `read` and `write`."""
    given = lay_over(Document({}), settings).value
    for name, options in given.items():
        if name not in ("read", "write") or not isinstance(options, dict):
            raise ConfigError(f"{name!r} is no option", place="command line", fix=nearest(str(name), ("read.", "write.")))
    return given
