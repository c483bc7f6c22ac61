"""The other sides of `train_step.py`: the same models and Adam in PyTorch, and a tiny deep one in flax.nnx and Equinox."""

from collections.abc import Callable
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from timing import Timed

from zerfoo_jax.layers import Activation, Dense, LayerNorm, Residual, Sequential, Stack

Batch = dict[str, Any]
WIDTH, HIDDEN = 8, 16


def _torch_block(make: Callable[[Any], Any], inputs: Any, targets: np.ndarray, steps: int, threads: int) -> Timed:
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = make(torch)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    x, y = torch.from_numpy(np.ascontiguousarray(inputs)), torch.from_numpy(targets.astype(np.int64))

    def run() -> float:
        start = time.perf_counter()
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            logits = model(x)
            torch.nn.functional.cross_entropy(logits.flatten(0, -2), y.flatten()).backward()
            optimizer.step()
        return (time.perf_counter() - start) / steps

    return run


def torch_mlp(batch: Batch, steps: int, threads: int) -> Timed:
    """784-512-512-10."""

    def make(torch: Any) -> Any:
        nn = torch.nn
        return nn.Sequential(
            nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
        )  # fmt: skip

    return _torch_block(make, batch["inputs"], batch["targets"], steps, threads)


def torch_cnn(batch: Batch, steps: int, threads: int) -> Timed:
    """The CNN of `models.cnn`, in PyTorch's own axis order."""

    def make(torch: Any) -> Any:
        nn = torch.nn
        return nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(64 * 49, 128), nn.ReLU(), nn.Linear(128, 10),
        )  # fmt: skip

    return _torch_block(make, batch["inputs"].transpose(0, 3, 1, 2), batch["targets"], steps, threads)


def torch_gpt(batch: Batch, steps: int, threads: int) -> Timed:
    """Four pre-norm blocks, 256 wide, four heads, causal attention by PyTorch's fused kernel, learned positions."""

    def make(torch: Any) -> Any:
        nn = torch.nn

        class Block(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.norm1, self.norm2 = nn.LayerNorm(256), nn.LayerNorm(256)
                self.qkv, self.out = nn.Linear(256, 768), nn.Linear(256, 256)
                self.mlp = nn.Sequential(nn.Linear(256, 1024), nn.GELU(approximate="tanh"), nn.Linear(1024, 256))

            def forward(self, x: Any) -> Any:
                batch, seq, width = x.shape
                q, k, v = (
                    part.view(batch, seq, 4, 64).transpose(1, 2) for part in self.qkv(self.norm1(x)).split(width, dim=-1)
                )
                y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
                x = x + self.out(y.transpose(1, 2).reshape(batch, seq, width))
                return x + self.mlp(self.norm2(x))

        class Gpt(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.tokens, self.positions = nn.Embedding(1024, 256), nn.Embedding(128, 256)
                self.blocks = nn.Sequential(*(Block() for _ in range(4)))
                self.norm, self.head = nn.LayerNorm(256), nn.Linear(256, 1024, bias=False)

            def forward(self, tokens: Any) -> Any:
                x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
                return self.head(self.norm(self.blocks(x)))

        return Gpt()

    return _torch_block(make, batch["inputs"].astype(np.int64), batch["targets"], steps, threads)


def tiny_stack(num_layers: int) -> Sequential:
    """Deep and tiny: residual blocks of LayerNorm and two dense layers, 8 wide, in one Stack."""
    inner = Sequential((LayerNorm(), Dense(HIDDEN), Activation("relu"), Dense(WIDTH)))
    return Sequential((Stack(Residual(inner), num_layers), Dense(10)))


def _loss(logits: jax.Array, batch: Batch) -> jax.Array:
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, batch["targets"]))


def nnx_tiny(batch: Batch, steps: int, num_layers: int) -> Timed:
    """The same blocks as flax.nnx modules, trained the way its guides show."""
    from flax import nnx

    class Block(nnx.Module):
        def __init__(self, rngs: Any) -> None:
            self.norm = nnx.LayerNorm(WIDTH, rngs=rngs)
            self.up, self.down = nnx.Linear(WIDTH, HIDDEN, rngs=rngs), nnx.Linear(HIDDEN, WIDTH, rngs=rngs)

        def __call__(self, x: Any) -> Any:
            return x + self.down(nnx.relu(self.up(self.norm(x))))

    class Model(nnx.Module):
        def __init__(self, rngs: Any) -> None:
            self.blocks = nnx.List([Block(rngs) for _ in range(num_layers)])
            self.head = nnx.Linear(WIDTH, 10, rngs=rngs)

        def __call__(self, x: Any) -> Any:
            for block in self.blocks:
                x = block(x)
            return self.head(x)

    model = Model(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.adam(1e-3), wrt=nnx.Param)

    @nnx.jit
    def step(model: Any, optimizer: Any, batch: Any) -> Any:
        value, grads = nnx.value_and_grad(lambda model: _loss(model(batch["inputs"]), batch))(model)
        optimizer.update(model, grads)
        return value

    return _stateful_block(lambda batch: step(model, optimizer, batch), batch, steps)


def equinox_tiny(batch: Batch, steps: int, num_layers: int) -> Timed:
    """The same blocks as Equinox modules, trained the way its examples show."""
    import equinox as eqx

    class Block(eqx.Module):
        norm: Any
        up: Any
        down: Any

        def __init__(self, key: Any) -> None:
            first, second = jax.random.split(key)
            self.norm = eqx.nn.LayerNorm(WIDTH)
            self.up, self.down = eqx.nn.Linear(WIDTH, HIDDEN, key=first), eqx.nn.Linear(HIDDEN, WIDTH, key=second)

        def __call__(self, x: Any) -> Any:
            return x + self.down(jax.nn.relu(self.up(self.norm(x))))

    class Model(eqx.Module):
        blocks: list[Any]
        head: Any

        def __call__(self, x: Any) -> Any:
            for block in self.blocks:
                x = block(x)
            return self.head(x)

    keys = jax.random.split(jax.random.key(0), num_layers + 1)
    model = Model([Block(key) for key in keys[1:]], eqx.nn.Linear(WIDTH, 10, key=keys[0]))
    optimizer = optax.adam(1e-3)
    box = [(model, optimizer.init(eqx.filter(model, eqx.is_array)))]

    @eqx.filter_jit
    def step(model: Any, opt_state: Any, batch: Any) -> Any:
        def loss(model: Any) -> Any:
            return _loss(jax.vmap(jax.vmap(model))(batch["inputs"]), batch)

        value, grads = eqx.filter_value_and_grad(loss)(model)
        updates, opt_state = optimizer.update(grads, opt_state, model)
        return eqx.apply_updates(model, updates), opt_state, value

    def advance(batch: Any) -> Any:
        model, opt_state, value = step(*box[0], batch)
        box[0] = (model, opt_state)
        return value

    return _stateful_block(advance, batch, steps)


def _stateful_block(step: Callable[[Any], Any], batch: Batch, steps: int) -> Timed:
    batch = jax.device_put(batch)

    def run() -> float:
        start = time.perf_counter()
        for _ in range(steps):
            value = step(batch)
        jax.block_until_ready(value)
        return (time.perf_counter() - start) / steps

    return run
