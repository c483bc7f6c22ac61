"""Numbers: dtypes, precision policies, loss scaling."""

from zerfoo_jax.numeric.dtypes import DTYPES as DTYPES
from zerfoo_jax.numeric.dtypes import Dtype as Dtype
from zerfoo_jax.numeric.dtypes import cast as cast
from zerfoo_jax.numeric.dtypes import dtype_of as dtype_of
from zerfoo_jax.numeric.precision import POLICIES as POLICIES
from zerfoo_jax.numeric.precision import Policy as Policy
from zerfoo_jax.numeric.precision import cast_floating as cast_floating
from zerfoo_jax.numeric.precision import policy as policy
from zerfoo_jax.numeric.precision import wide_dtype as wide_dtype
from zerfoo_jax.numeric.precision import widened as widened
from zerfoo_jax.numeric.scaling import LossScale as LossScale
