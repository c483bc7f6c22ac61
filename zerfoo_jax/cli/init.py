"""`zerfoo init`: a packaged config as a file of one's own."""

from pathlib import Path
from typing import Annotated

import typer

from zerfoo_jax.core.errors import ConfigError, nearest
from zerfoo_jax.experiment.packaged import packaged_configs


def init(
    name: Annotated[str | None, typer.Argument(help="A packaged config; without it they are listed.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write; default NAME.yaml here.")] = None,
) -> None:
    """Copy a packaged config here, to be changed."""
    configs = packaged_configs()
    if name is None:
        for known, path in configs.items():
            print(f"{known:16} {path.read_text().splitlines()[0].removeprefix('# ')}")
        return
    if name not in configs:
        raise ConfigError(f"no packaged config {name!r}", fix=nearest(name, configs))
    target = output or Path(f"{name}.yaml")
    try:
        with open(target, "x") as file:
            file.write(configs[name].read_text())
    except FileExistsError as error:
        raise ConfigError(f"{str(target)!r} exists already", fix="choose another name with --output") from error
    except OSError as error:
        raise ConfigError(
            f"cannot write {str(target)!r}: {error.strerror}", fix="choose another place with --output"
        ) from error
    print(target)
