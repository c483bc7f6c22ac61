"""`zerfoo eval`: scores of a trained run."""

import json

from zerfoo_jax.cli.arguments import BestOption, JsonOption, RunArgument, StepOption


def evaluate(run: RunArgument, step: StepOption = None, best: BestOption = False, as_json: JsonOption = False) -> None:
    """Evaluate a run on its validation data."""
    from zerfoo_jax.experiment.evaluate import make_evaluate
    from zerfoo_jax.experiment.journal import without_nonfinite
    from zerfoo_jax.experiment.runtime import enable_compilation_cache
    from zerfoo_jax.experiment.trained import open_run

    enable_compilation_cache()
    trained = open_run(run, step, best)
    values = make_evaluate(trained.wired)(trained.state.best_params, trained.state.state)
    baselines = {f"baseline/{name}": value for name, value in trained.wired.dataset.baselines.items()}
    if as_json:
        print(json.dumps(without_nonfinite({"step": trained.step, **values, **baselines})))
        return
    print(f"step {trained.step}")
    for name, value in {**values, **baselines}.items():
        print(f"{name} {value:.4f}")
