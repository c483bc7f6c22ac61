"""`zerfoo check`: everything that can be known about a run before it starts."""

from zerfoo_jax.cli.arguments import ConfigArgument, OverrideArguments, config_from


def check(config: ConfigArgument, overrides: OverrideArguments = None) -> None:
    """Check a config: schema, wiring, shapes; then memory and operations of the compiled step. Trains and allocates nothing."""
    checked, places = config_from(config, overrides)

    import jax
    from rich.console import Console
    from rich.table import Column, Table

    from zerfoo_jax.core.sizes import size_of
    from zerfoo_jax.experiment.preflight import estimate, leaf_layers
    from zerfoo_jax.experiment.runtime import enable_compilation_cache
    from zerfoo_jax.experiment.wiring import wire

    if checked.runtime.compilation_cache:
        enable_compilation_cache()
    wired = wire(checked, places)
    table = Table(Column("path", overflow="fold"), "layer", "output", "parameters", title=checked.name)
    for visit in leaf_layers(wired):
        count = size_of(visit.params).numbers
        outputs = ", ".join(str(tuple(leaf.shape)) for leaf in jax.tree.leaves(visit.output))
        table.add_row(visit.path, type(visit.layer).__name__, outputs, f"{count:,}")
    Console().print(table)
    needs = estimate(wired)
    print(f"parameters          {needs.parameters:,}")
    print(f"state in memory     {needs.state_bytes / 2**20:.1f} MiB")
    if needs.peak_bytes is not None:
        print(f"peak of a step      {needs.peak_bytes / 2**20:.1f} MiB")
    if needs.flops_per_step is not None:
        print(f"operations per step {needs.flops_per_step:.3g} FLOP")
    print(f"steps               {wired.steps} of {checked.train.batch_size} examples")
    print("ok")
