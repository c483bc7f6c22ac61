"""`zerfoo plot`: pictures of a run."""

from zerfoo_jax.cli.arguments import RunArgument


def plot(run: RunArgument) -> None:
    """Draw a run's curves and, for classifiers, its confusion matrix, as PNG files in its folder `plots`."""
    from zerfoo_jax.experiment.plots import plot_run

    for path in plot_run(run):
        print(path)
