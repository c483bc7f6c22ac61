"""Random graphs that fit together: many kinds of layers, shared nodes, several inputs and outputs, nesting, odd names."""

from dataclasses import dataclass, field
from functools import cache
import random

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.graph import Graph, Input, Node, Shared
import zerfoo_jax.layers as L

ODD_NAMES = (
    *("0", "1.5", "true", "null", "~", "é", "日本", "a b", "it's", 'say "x"', "both ' and \"", "tab\there", "back\\slash"),
    *("class", "lambda", "None", "model", "node", "declare", "outputs", "l", "I", "Dense", "myConv", "__x", "_", "x-y", "{k}"),
)
INITIALIZERS = ("normal", "zeros", {"name": "normal", "stddev": 0.02}, {"name": "uniform", "low": -1e-05, "high": 0.125})
ACTIVATIONS = ("relu", "tanh", "gelu", {"name": "leaky_relu", "negative_slope": 0.3}, {"name": "elu", "alpha": 1.5})

Shape = tuple[int, ...]
"""Without the batch. A vector, a sequence or an image by its number of axes; () stands for a sequence of five token ids."""
TOKENS: Shape = ()


@dataclass
class _Maker:
    rng: random.Random
    inputs: list[Input] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    values: list[tuple[str, Shape]] = field(default_factory=list)
    taken: dict[str, Shape] = field(default_factory=dict)
    """The shape that a node with a layer of its own takes, by its name."""

    def name(self, word: str) -> str:
        used = {one.name for one in (*self.inputs, *self.nodes)}
        wanted = self.rng.choice(ODD_NAMES) if self.rng.random() < 0.2 else f"{word}_{len(used)}"
        return wanted if wanted not in used else f"{word}_{len(used)}"

    def add_input(self, shape: Shape, declares: bool) -> None:
        name = self.name("x")
        whole, dtype = ((None, *shape), "float32") if shape else ((None, 5), "int32")
        self.inputs.append(Input(name, whole, dtype) if declares else Input(name))
        self.values.append((name, shape))

    def add_node(self, depth: int) -> None:
        wire, shape = self.rng.choice(self.values[-6:])
        same = [value for value in self.values if value[1] == shape and shape]
        fellows = [name for name, taken in self.taken.items() if taken == shape]
        roll = self.rng.random()
        if roll < 0.2 and len(same) > 1:
            chosen = [wire, *(name for name, _ in self.rng.sample(same, self.rng.randint(1, min(3, len(same)))))]
            self.put(*merged(self.rng, shape, len(chosen)), *chosen)
        elif roll < 0.3 and fellows:
            owner = self.rng.choice(fellows)
            self.put(Shared(owner), self.given[owner], wire)
        elif roll < 0.4 and depth and shape:
            inner, shapes = make(self.rng, depth - 1, [shape] * self.rng.randint(1, 2), self.rng.random() < 0.3)
            self.put(inner, shapes, *[wire] * len(inner.inputs))
        elif roll < 0.5 and shape and shape[-1] > 1:
            self.put(L.Split((1, shape[-1] - 1)), [(*shape[:-1], 1), (*shape[:-1], shape[-1] - 1)], wire)
        else:
            layer, after = single(self.rng, shape)
            self.taken[self.put(layer, [after], wire)] = shape

    given: dict[str, list[Shape]] = field(default_factory=dict)

    def put(self, layer: Layer, shapes: list[Shape], *wires: str) -> str:
        name = self.name(type(layer).__name__.lower())
        self.nodes.append(Node(name, layer, wires))
        self.given[name] = shapes
        self.values += [(name if len(shapes) == 1 else f"{name}:{i}", shape) for i, shape in enumerate(shapes)]
        return name


def merged(rng: random.Random, shape: Shape, count: int) -> tuple[Layer, list[Shape]]:
    """A layer that joins that many values of one shape, and the shapes of its outputs."""
    if rng.random() < 0.4 and shape[-1] * count < 40:
        return L.Concatenate(), [(*shape[:-1], shape[-1] * count)]
    return rng.choice((L.Add(), L.Multiply())), [shape]


def single(rng: random.Random, shape: Shape) -> tuple[Layer, Shape]:
    """A layer for a value of this shape, and the shape of its output."""
    n = rng.randint(1, 9)
    kernel = rng.choice(INITIALIZERS)
    if shape == TOKENS:
        return L.Embedding(11, n), (5, n)
    anywhere = [
        (L.Activation(rng.choice(ACTIVATIONS)), shape),
        (L.Dropout(rng.choice((0.1, 0.5))), shape),
        (L.LayerNorm(epsilon=rng.choice((1e-05, 1e-12)), use_bias=rng.random() < 0.5), shape),
        (L.BatchNorm(momentum=0.75), shape),
        (L.Dense(n, use_bias=rng.random() < 0.7, kernel_init=kernel), (*shape[:-1], n)),
        (L.Sequential((L.Dense(n, bias_init=kernel), L.Activation("tanh"), L.Dropout(0.25))), (*shape[:-1], n)),
        (L.Residual(L.Dense(shape[-1], kernel_init=kernel)), shape),
        (L.Stack(L.Residual(L.Sequential((L.RMSNorm(), L.Dense(shape[-1])))), rng.randint(1, 3), remat=True), shape),
        (L.Parallel((L.Dense(n), L.Dense(n, use_bias=False)), {"name": "add", "pad": True}), (*shape[:-1], n)),
    ]
    sequences = [
        (L.GRU(n), (shape[0], n)),
        (L.LSTM(n, return_sequences=False), (n,)),
        (L.MultiHeadAttention(1, head_dim=4, causal=True, rotary=L.RotaryPositions(100.0), kernel_init=kernel), shape),
        (L.FeedForward(n, "silu", gated=True), shape),
        (L.Slice(0, 1, axis=1), (1, *shape[1:])),
        (L.Flatten(), (shape[0] * shape[-1],)),
    ]
    images = [
        (L.Conv2D(n, (3, 2), padding=((1, 1), (0, 1)), kernel_init=kernel), (*shape[:-1], n)),
        (L.DepthwiseConv2D(3, padding="SAME"), shape),
        (L.AdaptiveAvgPool2D((2, 1)), (2, 1, shape[-1])),
        (L.GlobalAvgPool(), shape[-1:]),
        (L.SqueezeExcitation(3), shape),
    ]
    return rng.choice({1: anywhere, 2: anywhere + sequences, 3: anywhere + images}[len(shape)])


def make(rng: random.Random, depth: int, shapes: list[Shape], declares: bool) -> tuple[Graph, list[Shape]]:
    """A graph with inputs of these shapes, and the shapes of its outputs."""
    maker = _Maker(rng)
    for shape in shapes:
        maker.add_input(shape, declares)
    for _ in range(rng.randint(1, 12 if depth else 4)):
        maker.add_node(depth)
    chosen = maker.values[-1:] + rng.sample(maker.values, rng.randint(0, min(2, len(maker.values) - 1)))
    if rng.random() < 0.2:
        rng.shuffle(maker.nodes)
    outputs = tuple(wire for wire, _ in chosen)
    return Graph(tuple(maker.inputs), tuple(maker.nodes), outputs), [shape for _, shape in chosen]


@cache
def random_graph(seed: int) -> Graph:
    """The graph of this number."""
    rng = random.Random(seed)
    kinds: list[Shape] = [(6,), (5, 4), (4, 6, 3), TOKENS]
    shapes = [rng.choice(kinds) for _ in range(rng.choice((1, 1, 2, 3)))]
    return make(rng, 2, shapes, len(shapes) > 1 or rng.random() < 0.6)[0]
