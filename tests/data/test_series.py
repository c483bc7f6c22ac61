import numpy as np
import pytest

from zerfoo_jax.core.errors import DataError
from zerfoo_jax.data.series import PACKAGED, series

MONTHS = np.load(PACKAGED / "nino12_sst.npy").astype(float)


def test_the_months_are_the_published_ones():
    # The first and last year of ERSST.V3B, Nino 1+2.
    assert MONTHS[:12] == pytest.approx([23.11, 24.2, 25.37, 23.86, 23.03, 21.57, 20.63, 20.15, 19.67, 20.03, 20.02, 21.8])
    assert MONTHS[-12:] == pytest.approx([24.7, 26.16, 26.54, 26.04, 24.75, 23.26, 21.11, 19.49, 19.28, 19.73, 20.44, 22.07])
    assert len(MONTHS) == 61 * 12


@pytest.mark.parametrize(("window", "horizon", "fraction"), [(36, 6, 0.2), (5, 1, 0.5), (24, 14, 0.1)])
def test_windows_targets_and_baselines(window, horizon, fraction):
    data = series(window=window, horizon=horizon, validation_fraction=fraction)
    split = round(732 * (1 - fraction))
    mean, std = MONTHS[:split].mean(), MONTHS[:split].std()
    assert data.scale == pytest.approx(std)
    assert len(data.train) == split - window - horizon + 1 and len(data.validation) == 732 - split - horizon + 1
    for part, first in ((data.train, window), (data.validation, split)):
        batch = part.batch(np.arange(len(part)))
        for i in (0, len(part) - 1):
            t = first + i
            np.testing.assert_allclose(batch["inputs"][i, :, 0] * std + mean, MONTHS[t - window : t], rtol=1e-5)
            np.testing.assert_allclose(batch["targets"][i] * std + mean, MONTHS[t : t + horizon], rtol=1e-5)
    last, seasonal = [], []
    for t in range(split, 732 - horizon + 1):
        for a in range(horizon):
            known = t + a - 12 if a < 12 else t + a - 24
            assert known < t
            last.append(MONTHS[t + a] - MONTHS[t - 1])
            seasonal.append(MONTHS[t + a] - MONTHS[known])
    assert data.baselines["last_value_rmse_celsius"] == pytest.approx(np.sqrt(np.mean(np.square(last))))
    assert data.baselines["seasonal_naive_rmse_celsius"] == pytest.approx(np.sqrt(np.mean(np.square(seasonal))))


@pytest.mark.parametrize("given", [{"window": 600}, {"horizon": 200}, {"validation_fraction": 0.99}])
def test_too_few_months(given):
    with pytest.raises(DataError, match="too few months"):
        series(**given)
