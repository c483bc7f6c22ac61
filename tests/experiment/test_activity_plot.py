import jax.numpy as jnp
import numpy as np
import pytest

from tests.experiment.test_plots import size_of
from zerfoo_jax.experiment.activity import ActivityRecorder
from zerfoo_jax.experiment.activity_plot import bands, draw_activity
from zerfoo_jax.experiment.plots import save_figure

Figure = pytest.importorskip("matplotlib.figure").Figure


def test_means_and_deviations_over_the_steps(tmp_path):
    path = tmp_path / "activity.jsonl"
    with ActivityRecorder(path) as recorder:
        for step in (10, 20):
            one = jnp.array([step, 2.0, 0.0, 1.0, 0.0, 0.5])
            recorder.record(step, {"dense": one, "stack/block": jnp.stack([one, 3 * one]), "broken": one.at[0].set(jnp.nan)})
    found = bands(path)
    np.testing.assert_array_equal(found["dense"], [[10, 10, 2], [20, 20, 2]])
    np.testing.assert_array_equal(found["stack/block"], [[10, 20, 4], [20, 40, 4]])
    assert np.isnan(found["broken"][:, 1]).all()
    width, height = size_of(save_figure(draw_activity(Figure, found), tmp_path / "a.png"))
    assert 100 < width < 4000 and 100 < height < 4000
