"""Layers: frozen dataclasses of hyper-parameters with a pure `init` and `apply`. Adding one: its file, and a line here."""

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.layers.activation import ACTIVATIONS as ACTIVATIONS
from zerfoo_jax.layers.activation import Activation as Activation
from zerfoo_jax.layers.attention import MultiHeadAttention as MultiHeadAttention
from zerfoo_jax.layers.attention import dot_product_attention as dot_product_attention
from zerfoo_jax.layers.combinators import Residual as Residual
from zerfoo_jax.layers.combinators import Sequential as Sequential
from zerfoo_jax.layers.combinators import Stack as Stack
from zerfoo_jax.layers.convolution import Conv2D as Conv2D
from zerfoo_jax.layers.dense import Dense as Dense
from zerfoo_jax.layers.dropout import Dropout as Dropout
from zerfoo_jax.layers.embedding import Embedding as Embedding
from zerfoo_jax.layers.initializers import INITIALIZERS as INITIALIZERS
from zerfoo_jax.layers.normalization import BatchNorm as BatchNorm
from zerfoo_jax.layers.normalization import LayerNorm as LayerNorm
from zerfoo_jax.layers.normalization import RMSNorm as RMSNorm
from zerfoo_jax.layers.pooling import AvgPool2D as AvgPool2D
from zerfoo_jax.layers.pooling import GlobalAvgPool as GlobalAvgPool
from zerfoo_jax.layers.pooling import MaxPool2D as MaxPool2D
from zerfoo_jax.layers.recurrent import GRU as GRU
from zerfoo_jax.layers.recurrent import LSTM as LSTM
from zerfoo_jax.layers.reshape import Add as Add
from zerfoo_jax.layers.reshape import Concatenate as Concatenate
from zerfoo_jax.layers.reshape import Flatten as Flatten
from zerfoo_jax.layers.rotary import rotary_embedding as rotary_embedding
from zerfoo_jax.layers.vocabulary import TiedEmbedding as TiedEmbedding
from zerfoo_jax.layers.vocabulary import VocabularyHead as VocabularyHead

LAYERS: dict[str, type[Layer]] = {
    "Activation": Activation,
    "Add": Add,
    "AvgPool2D": AvgPool2D,
    "BatchNorm": BatchNorm,
    "Concatenate": Concatenate,
    "Conv2D": Conv2D,
    "Dense": Dense,
    "Dropout": Dropout,
    "Embedding": Embedding,
    "Flatten": Flatten,
    "GRU": GRU,
    "GlobalAvgPool": GlobalAvgPool,
    "LSTM": LSTM,
    "LayerNorm": LayerNorm,
    "MaxPool2D": MaxPool2D,
    "MultiHeadAttention": MultiHeadAttention,
    "RMSNorm": RMSNorm,
    "Residual": Residual,
    "Sequential": Sequential,
    "Stack": Stack,
    "TiedEmbedding": TiedEmbedding,
    "VocabularyHead": VocabularyHead,
}
