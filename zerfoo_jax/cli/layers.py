"""`zerfoo layers`: every member of every table, with its signature and first sentence."""

import json
from typing import Annotated

import typer

from zerfoo_jax.cli.arguments import JsonOption


def layers(
    table: Annotated[str | None, typer.Argument(help="One table only, such as LAYERS or LOSSES.")] = None,
    as_json: JsonOption = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print all tables as the page docs/library.md.")] = False,
) -> None:
    """List layers, activations, losses, metrics, optimizers, schedules, models and data sets."""
    from zerfoo_jax.core.errors import ConfigError, nearest
    from zerfoo_jax.experiment.tables import describe_tables, library_page

    if markdown:
        print(library_page(), end="")
        return
    tables = describe_tables()
    if table is not None:
        if table.upper() not in tables:
            raise ConfigError(f"no table {table!r}", fix=nearest(table.upper(), tables))
        tables = {table.upper(): tables[table.upper()]}
    if as_json:
        print(json.dumps(tables, indent=2))
        return
    for name, members in tables.items():
        print(name)
        for member in members:
            print(f"  {member['name']}{member['signature']}\n      {member['summary']}")
