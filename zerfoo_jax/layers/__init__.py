"""Layers: frozen dataclasses of hyper-parameters with a pure `init` and `apply`. Adding one: its file, and a line here."""

from zerfoo_jax.core.layer import Layer
from zerfoo_jax.layers.activations.activation import ACTIVATIONS as ACTIVATIONS
from zerfoo_jax.layers.activations.activation import Activation as Activation
from zerfoo_jax.layers.activations.activation import PReLU as PReLU
from zerfoo_jax.layers.activations.gumbel import GumbelSoftmax as GumbelSoftmax
from zerfoo_jax.layers.activations.softmax import SOFTMAX_VARIANTS as SOFTMAX_VARIANTS
from zerfoo_jax.layers.activations.softmax import Softmax as Softmax
from zerfoo_jax.layers.activations.softmax_heads import AdaptiveSoftmax as AdaptiveSoftmax
from zerfoo_jax.layers.activations.softmax_heads import MixtureSoftmax as MixtureSoftmax
from zerfoo_jax.layers.activations.sparse_softmax import entmax as entmax
from zerfoo_jax.layers.activations.sparse_softmax import sparsemax as sparsemax
from zerfoo_jax.layers.attention.attention import dot_product_attention as dot_product_attention
from zerfoo_jax.layers.attention.cross_attention import CrossAttention as CrossAttention
from zerfoo_jax.layers.attention.decoding import start_cache as start_cache
from zerfoo_jax.layers.attention.decoding import with_cache as with_cache
from zerfoo_jax.layers.attention.global_attention import GlobalAttention as GlobalAttention
from zerfoo_jax.layers.attention.masks import alibi_bias as alibi_bias
from zerfoo_jax.layers.attention.masks import padding_mask as padding_mask
from zerfoo_jax.layers.attention.multi_head_attention import MultiHeadAttention as MultiHeadAttention
from zerfoo_jax.layers.attention.positions import LearnedPositions as LearnedPositions
from zerfoo_jax.layers.attention.positions import SinusoidalPositions as SinusoidalPositions
from zerfoo_jax.layers.attention.rotary import RotaryPositions as RotaryPositions
from zerfoo_jax.layers.attention.rotary import rotary_embedding as rotary_embedding
from zerfoo_jax.layers.attention.rotary_scaling import ROTARY_SCALINGS as ROTARY_SCALINGS
from zerfoo_jax.layers.attention.transformer import TransformerDecoderBlock as TransformerDecoderBlock
from zerfoo_jax.layers.attention.transformer import TransformerEncoderBlock as TransformerEncoderBlock
from zerfoo_jax.layers.bias import Bias as Bias
from zerfoo_jax.layers.composites.adversarial import AdversarialPair as AdversarialPair
from zerfoo_jax.layers.composites.combinators import Residual as Residual
from zerfoo_jax.layers.composites.combinators import Sequential as Sequential
from zerfoo_jax.layers.composites.combinators import Stack as Stack
from zerfoo_jax.layers.composites.frozen import Frozen as Frozen
from zerfoo_jax.layers.composites.lora import LoRA as LoRA
from zerfoo_jax.layers.composites.lora import merge_lora as merge_lora
from zerfoo_jax.layers.composites.mixture_of_experts import MixtureOfExperts as MixtureOfExperts
from zerfoo_jax.layers.composites.parallel import COMBINATIONS as COMBINATIONS
from zerfoo_jax.layers.composites.parallel import Parallel as Parallel
from zerfoo_jax.layers.composites.variational import GaussianBottleneck as GaussianBottleneck
from zerfoo_jax.layers.convolutions.convolution import Conv1D as Conv1D
from zerfoo_jax.layers.convolutions.convolution import Conv2D as Conv2D
from zerfoo_jax.layers.convolutions.convolution import Conv3D as Conv3D
from zerfoo_jax.layers.convolutions.depthwise import DepthwiseConv2D as DepthwiseConv2D
from zerfoo_jax.layers.convolutions.depthwise import SeparableConv2D as SeparableConv2D
from zerfoo_jax.layers.convolutions.patches import ClassToken as ClassToken
from zerfoo_jax.layers.convolutions.patches import FirstToken as FirstToken
from zerfoo_jax.layers.convolutions.patches import PatchEmbedding as PatchEmbedding
from zerfoo_jax.layers.convolutions.transposed_convolution import ConvTranspose1D as ConvTranspose1D
from zerfoo_jax.layers.convolutions.transposed_convolution import ConvTranspose2D as ConvTranspose2D
from zerfoo_jax.layers.convolutions.transposed_convolution import ConvTranspose3D as ConvTranspose3D
from zerfoo_jax.layers.dense import Dense as Dense
from zerfoo_jax.layers.feed_forward import FeedForward as FeedForward
from zerfoo_jax.layers.initializers import INITIALIZERS as INITIALIZERS
from zerfoo_jax.layers.kmeans import KMeans as KMeans
from zerfoo_jax.layers.noise.dropout import Dropout as Dropout
from zerfoo_jax.layers.noise.stochastic_depth import StochasticDepth as StochasticDepth
from zerfoo_jax.layers.noise.structured_dropout import DropBlock2D as DropBlock2D
from zerfoo_jax.layers.noise.structured_dropout import SpatialDropout as SpatialDropout
from zerfoo_jax.layers.norms.group_norm import GroupNorm as GroupNorm
from zerfoo_jax.layers.norms.group_norm import InstanceNorm as InstanceNorm
from zerfoo_jax.layers.norms.normalization import BatchNorm as BatchNorm
from zerfoo_jax.layers.norms.normalization import LayerNorm as LayerNorm
from zerfoo_jax.layers.norms.normalization import RMSNorm as RMSNorm
from zerfoo_jax.layers.pooling.adaptive_pooling import AdaptiveAvgPool1D as AdaptiveAvgPool1D
from zerfoo_jax.layers.pooling.adaptive_pooling import AdaptiveAvgPool2D as AdaptiveAvgPool2D
from zerfoo_jax.layers.pooling.adaptive_pooling import AdaptiveAvgPool3D as AdaptiveAvgPool3D
from zerfoo_jax.layers.pooling.adaptive_pooling import AdaptiveMaxPool1D as AdaptiveMaxPool1D
from zerfoo_jax.layers.pooling.adaptive_pooling import AdaptiveMaxPool2D as AdaptiveMaxPool2D
from zerfoo_jax.layers.pooling.adaptive_pooling import AdaptiveMaxPool3D as AdaptiveMaxPool3D
from zerfoo_jax.layers.pooling.fractional_pooling import FractionalMaxPool2D as FractionalMaxPool2D
from zerfoo_jax.layers.pooling.global_pooling import GlobalAvgPool as GlobalAvgPool
from zerfoo_jax.layers.pooling.global_pooling import GlobalMaxPool as GlobalMaxPool
from zerfoo_jax.layers.pooling.masked_mean import MaskedMean as MaskedMean
from zerfoo_jax.layers.pooling.pooling import AvgPool1D as AvgPool1D
from zerfoo_jax.layers.pooling.pooling import AvgPool2D as AvgPool2D
from zerfoo_jax.layers.pooling.pooling import AvgPool3D as AvgPool3D
from zerfoo_jax.layers.pooling.pooling import MaxPool1D as MaxPool1D
from zerfoo_jax.layers.pooling.pooling import MaxPool2D as MaxPool2D
from zerfoo_jax.layers.pooling.pooling import MaxPool3D as MaxPool3D
from zerfoo_jax.layers.quantized.quantized import Quantized as Quantized
from zerfoo_jax.layers.recurrence.recurrent import GRU as GRU
from zerfoo_jax.layers.recurrence.recurrent import LSTM as LSTM
from zerfoo_jax.layers.recurrence.recurrent import SimpleRNN as SimpleRNN
from zerfoo_jax.layers.shapes.join import Add as Add
from zerfoo_jax.layers.shapes.join import Concatenate as Concatenate
from zerfoo_jax.layers.shapes.join import Multiply as Multiply
from zerfoo_jax.layers.shapes.padding import PaddingMask as PaddingMask
from zerfoo_jax.layers.shapes.padding import TextLengths as TextLengths
from zerfoo_jax.layers.shapes.reshape import Flatten as Flatten
from zerfoo_jax.layers.shapes.reshape import Permute as Permute
from zerfoo_jax.layers.shapes.reshape import Reshape as Reshape
from zerfoo_jax.layers.shapes.reshape import Slice as Slice
from zerfoo_jax.layers.shapes.reshape import Split as Split
from zerfoo_jax.layers.shapes.resize import Pad as Pad
from zerfoo_jax.layers.shapes.resize import PixelShuffle as PixelShuffle
from zerfoo_jax.layers.shapes.resize import PixelUnshuffle as PixelUnshuffle
from zerfoo_jax.layers.shapes.resize import Upsample as Upsample
from zerfoo_jax.layers.squeeze_excitation import SqueezeExcitation as SqueezeExcitation
from zerfoo_jax.layers.stitch import Stitch as Stitch
from zerfoo_jax.layers.tokens.embedding import Embedding as Embedding
from zerfoo_jax.layers.tokens.text_encoder import TextEncoder as TextEncoder
from zerfoo_jax.layers.tokens.token_embeddings import TokenEmbeddings as TokenEmbeddings
from zerfoo_jax.layers.tokens.vocabulary import TiedEmbedding as TiedEmbedding
from zerfoo_jax.layers.tokens.vocabulary import VocabularyHead as VocabularyHead

LAYERS: dict[str, type[Layer]] = {
    "Activation": Activation,
    "AdaptiveAvgPool1D": AdaptiveAvgPool1D,
    "AdaptiveAvgPool2D": AdaptiveAvgPool2D,
    "AdaptiveAvgPool3D": AdaptiveAvgPool3D,
    "AdaptiveMaxPool1D": AdaptiveMaxPool1D,
    "AdaptiveMaxPool2D": AdaptiveMaxPool2D,
    "AdaptiveMaxPool3D": AdaptiveMaxPool3D,
    "AdaptiveSoftmax": AdaptiveSoftmax,
    "Add": Add,
    "AdversarialPair": AdversarialPair,
    "AvgPool1D": AvgPool1D,
    "AvgPool2D": AvgPool2D,
    "AvgPool3D": AvgPool3D,
    "BatchNorm": BatchNorm,
    "Bias": Bias,
    "ClassToken": ClassToken,
    "Concatenate": Concatenate,
    "Conv1D": Conv1D,
    "Conv2D": Conv2D,
    "Conv3D": Conv3D,
    "ConvTranspose1D": ConvTranspose1D,
    "ConvTranspose2D": ConvTranspose2D,
    "ConvTranspose3D": ConvTranspose3D,
    "CrossAttention": CrossAttention,
    "Dense": Dense,
    "DepthwiseConv2D": DepthwiseConv2D,
    "DropBlock2D": DropBlock2D,
    "Dropout": Dropout,
    "Embedding": Embedding,
    "FeedForward": FeedForward,
    "FirstToken": FirstToken,
    "Flatten": Flatten,
    "FractionalMaxPool2D": FractionalMaxPool2D,
    "Frozen": Frozen,
    "GRU": GRU,
    "GaussianBottleneck": GaussianBottleneck,
    "GlobalAttention": GlobalAttention,
    "GlobalAvgPool": GlobalAvgPool,
    "GlobalMaxPool": GlobalMaxPool,
    "GroupNorm": GroupNorm,
    "GumbelSoftmax": GumbelSoftmax,
    "InstanceNorm": InstanceNorm,
    "KMeans": KMeans,
    "LSTM": LSTM,
    "LayerNorm": LayerNorm,
    "LearnedPositions": LearnedPositions,
    "LoRA": LoRA,
    "MaskedMean": MaskedMean,
    "MaxPool1D": MaxPool1D,
    "MaxPool2D": MaxPool2D,
    "MaxPool3D": MaxPool3D,
    "MixtureOfExperts": MixtureOfExperts,
    "MixtureSoftmax": MixtureSoftmax,
    "MultiHeadAttention": MultiHeadAttention,
    "Multiply": Multiply,
    "PReLU": PReLU,
    "Pad": Pad,
    "PaddingMask": PaddingMask,
    "Parallel": Parallel,
    "PatchEmbedding": PatchEmbedding,
    "Permute": Permute,
    "PixelShuffle": PixelShuffle,
    "PixelUnshuffle": PixelUnshuffle,
    "Quantized": Quantized,
    "RMSNorm": RMSNorm,
    "Reshape": Reshape,
    "Residual": Residual,
    "RotaryPositions": RotaryPositions,
    "SeparableConv2D": SeparableConv2D,
    "Sequential": Sequential,
    "SimpleRNN": SimpleRNN,
    "SinusoidalPositions": SinusoidalPositions,
    "Slice": Slice,
    "Softmax": Softmax,
    "SpatialDropout": SpatialDropout,
    "Split": Split,
    "SqueezeExcitation": SqueezeExcitation,
    "Stack": Stack,
    "Stitch": Stitch,
    "StochasticDepth": StochasticDepth,
    "TextEncoder": TextEncoder,
    "TextLengths": TextLengths,
    "TiedEmbedding": TiedEmbedding,
    "TokenEmbeddings": TokenEmbeddings,
    "TransformerDecoderBlock": TransformerDecoderBlock,
    "TransformerEncoderBlock": TransformerEncoderBlock,
    "Upsample": Upsample,
    "VocabularyHead": VocabularyHead,
}
