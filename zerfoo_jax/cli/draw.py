"""`zerfoo draw`: any model as a picture."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from zerfoo_jax.cli.arguments import InputOptions, ModelArgument, OverrideArguments
from zerfoo_jax.core.errors import ConfigError


def draw(
    model: ModelArgument,
    overrides: OverrideArguments = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file: .svg or .html; default MODEL.svg.")] = None,
    inputs: InputOptions = None,
    depth: Annotated[int | None, typer.Option(min=1, help="How deep groups are open; default: while it is readable.")] = None,
    node: Annotated[str | None, typer.Option(help="Only what is around this node, such as layer1/0/conv1.")] = None,
    hops: Annotated[int, typer.Option(min=0, help="With --node: how many edges away from it.")] = 1,
) -> None:
    """Draw a model: layers as boxes, groups as boxes around them, shapes on the arrows. HTML has groups that open and close.

    Neither needs the network or any other file.
    """
    from zerfoo_jax.experiment.model_source import open_model
    from zerfoo_jax.graph.views.drawing import html, svg
    from zerfoo_jax.graph.views.outline import outline

    path = output or Path(f"{Path(model).stem}.svg")
    kinds = {".svg": svg, ".html": html, ".htm": html}
    if path.suffix.lower() not in kinds:
        raise ConfigError(f"--output {str(path)!r} is neither .svg nor .html", fix="choose one of the two")
    opened = open_model(model, overrides or [], inputs or [])
    found, inside = outline(opened.model, *opened.specs, name=opened.name), ""
    if node is not None:
        found.at(node)
        inside, _, name = node.rpartition("/")
        found = replace(found.at(inside).around(name, hops), name=inside or opened.name)
    drawn = kinds[path.suffix.lower()](found, depth, inside)
    try:
        path.write_text(drawn, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {str(path)!r}: {error.strerror}", fix="choose another place with --output") from error
    print(path)
