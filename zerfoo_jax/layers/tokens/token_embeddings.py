"""What a token is, where it stands and which text it belongs to, as one vector."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from zerfoo_jax.core.fields import PositiveFloat, PositiveInt, Probability
from zerfoo_jax.core.layer import Composite, Layer
from zerfoo_jax.core.shapes import expect_same_shape
from zerfoo_jax.core.types import Tree
from zerfoo_jax.layers.attention.positions import LearnedPositions
from zerfoo_jax.layers.noise.dropout import Dropout
from zerfoo_jax.layers.norms.normalization import LayerNorm
from zerfoo_jax.layers.tokens.embedding import Embedding


@dataclass(frozen=True)
class TokenEmbeddings(Composite):
    """y_t = norm(W[ids_t] + T[types_t] + P_t): token ids (batch, seq) and optional token types (batch, seq), by default 0, to
    vectors (batch, seq, features), seq at most `max_length` (Devlin et al., arXiv 1810.04805).

    Ids and types outside their tables give NaN. `dropout` acts on the result in training.

    Parameters: `words`, `token_types` and `positions` with `embedding` (rows, features); `norm` with `scale`, `bias`
    (features,). Raises `ShapeError` for longer sequences and for token types of another shape.

    >>> import jax
    >>> layer, ids = TokenEmbeddings(vocab_size=5, features=4, max_length=3), jnp.array([[3, 1, 0]])
    >>> params, state = layer.init(jax.random.key(0), ids)
    >>> {name: part["embedding"].shape for name, part in params.items() if name != "norm"}
    {'positions': (3, 4), 'token_types': (2, 4), 'words': (5, 4)}
    """

    vocab_size: PositiveInt
    features: PositiveInt
    max_length: PositiveInt
    num_token_types: PositiveInt = 2
    epsilon: PositiveFloat = 1e-12
    dropout: Probability = 0.0

    def children(self) -> Mapping[str, Layer]:
        return {
            "words": Embedding(self.vocab_size, self.features),
            "token_types": Embedding(self.num_token_types, self.features),
            "positions": LearnedPositions(self.max_length),
            "norm": LayerNorm(self.epsilon),
            "dropout": Dropout(self.dropout),
        }

    def connect(self, call: Callable[..., Tree], ids: Any, token_types: Any = None) -> Tree:
        types = jnp.zeros_like(ids) if token_types is None else token_types
        expect_same_shape("token types for every id", ids, types)
        x = call("words", ids) + call("token_types", types)
        return call("dropout", call("norm", call("positions", x)))
