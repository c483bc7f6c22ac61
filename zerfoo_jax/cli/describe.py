"""`zerfoo describe`: what may be said of a table or one of its members, as JSON for programs that draw forms.

A verb of its own beside `layers`, which lists for people: a name is all it takes, of a table or of any member.
"""

import json
from typing import Annotated

import typer


def describe(
    name: Annotated[str, typer.Argument(help="A table or a member: LAYERS, Dense, gpt; LOSSES.mse where several have one.")],
    methods: Annotated[bool, typer.Option("--methods", help="Print what can be called instead.")] = False,
) -> None:
    """Print the JSON Schema of what a config or model file may say of layers, losses, optimizers, models and the like."""
    from zerfoo_jax.core.methods import methods as methods_of
    from zerfoo_jax.experiment.tables import find_members
    from zerfoo_jax.graph.describe import describe as schema_of

    found = find_members(name)
    print(json.dumps({member: methods_of(one) for member, one in found.items()} if methods else schema_of(found), indent=2))
