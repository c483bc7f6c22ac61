"""What a model probably is, and the network that follows where its layers are a chain."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax

from zerfoo_jax.core.errors import ConfigError, FormatError, brief, nearest
from zerfoo_jax.core.layer import Layer, abstract, problems_of
from zerfoo_jax.core.types import Spec
from zerfoo_jax.formats.structure.chain import Slot, chained, in_order, usual_input
from zerfoo_jax.formats.structure.families import Family
from zerfoo_jax.formats.structure.module import Module
from zerfoo_jax.graph.editing.network import Network
from zerfoo_jax.graph.graph_of import graph_of


@dataclass(frozen=True, eq=False)
class Proposal:
    """Layers by the names of their modules, tensors that stay unknown, and the family of the hub, if it is one."""

    modules: Mapping[str, Module]
    unknown: Mapping[str, str]
    family: Family | None = None

    @property
    def open(self) -> tuple[str, ...]:
        """What has to be found out elsewhere, each with the module that it is about."""
        found = [f"{name}: {what}" for name, module in self.modules.items() for what in module.open]
        found += [f"{name}: {what} are of no known layer" for name, what in self.unknown.items()]
        return (*found, *(f"{slot.name}: a layer without tensors, if any" for slot in self.slots().values()))

    def slots(self) -> Mapping[str, Slot]:
        """The places in the chain where a layer without tensors may stand, by name; none if it is no chain."""
        order = in_order(self.modules)
        return {} if order is None or self.unknown else {slot.name: slot for slot in chained(self.modules, order) if slot.open}

    def network(self, *specs: Spec, fill: Mapping[str, Layer | None] | None = None) -> Network:
        """The network of a plain chain, for inputs of these shapes, by default the smallest that fit.

        `fill` says what stands in the slots, by their names, instead of the usual (None for nothing), or replaces a layer by
        one with the same parameters, such as a convolution with another padding. Images are (batch, height, width, channels).
        Raises `FormatError` where the modules are no chain or do not fit each other, `ConfigError` for an unknown slot.

        >>> import numpy as np
        >>> from zerfoo_jax.formats.structure import infer_structure
        >>> tensors = {"0.weight": np.ones((3, 2), np.float32), "0.bias": np.ones(3, np.float32)}
        >>> infer_structure(tensors).network()(np.ones((1, 2), np.float32)).tolist()
        [[3.0, 3.0, 3.0]]
        """
        order = in_order(self.modules)
        if order is None or self.unknown:
            raise FormatError("these tensors are no plain chain of layers", place=self._stuck(), fix=self._way_out())
        slots, fill = chained(self.modules, order), fill or {}
        for name in fill:
            if name not in {slot.name for slot in slots}:
                raise ConfigError(f"no place {name!r} to fill", fix=nearest(name, [slot.name for slot in slots]))
        layers = {slot.name: fill.get(slot.name, slot.layer) for slot in slots}
        layers = {name: layer for name, layer in layers.items() if layer is not None}
        model = graph_of(layers)
        params = {name: module.params for name, module in self.modules.items() if module.params}
        state = {name: module.state for name, module in self.modules.items() if module.state}
        specs = specs or usual_input(layers, self.modules, order[0])
        _expect_fitting(model, params, state, specs)
        return Network(model, params, state, specs)

    def _stuck(self) -> str:
        return next(iter((*self.unknown, *self.modules)), "the file")

    def _way_out(self) -> str:
        if self.family:
            return f"this is {self.family.name}: put its config.json beside the file, which tells {', '.join(self.family.open)}"
        return "write the model down, and read the arrays with read_tensors"


def _expect_fitting(model: Layer, params: Mapping, state: Mapping, specs: tuple[Spec, ...]) -> None:
    """Raises `FormatError` unless these are the arrays of the model."""
    try:
        wanted = jax.eval_shape(model.init, jax.random.key(0), *specs)
    except Exception as error:
        raise FormatError(problems_of(error)) from error
    shapes, given = (jax.tree.map(lambda x: x.shape, tree) for tree in (wanted, abstract((params, state))))
    if shapes != given:
        cause = f"the layers need arrays of shapes {brief(shapes)}, not {brief(given)}"
        raise FormatError(cause, place="the chain", fix="say what stands in the slots")
