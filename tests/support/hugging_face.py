"""Language models of the transformers library with random weights, to be compared with ours. Nothing is downloaded."""

from typing import Any

import numpy as np

from tests.support.vision import randomise


def random_module(torch: Any, config: Any, kind: str = "AutoModelForCausalLM", seed: int = 0) -> Any:
    """The module that `config` describes, with random kernels, biases and scales, in eval mode."""
    import transformers

    module = getattr(transformers, kind).from_config(config, attn_implementation="eager").eval()
    randomise(torch, module, seed)
    return module


def tokens(seed: int, batch: int, length: int, vocab_size: int) -> np.ndarray:
    """Random token ids (batch, length)."""
    return np.random.default_rng(seed).integers(0, vocab_size, (batch, length)).astype(np.int32)


def logits_of(torch: Any, module: Any, ids: np.ndarray) -> np.ndarray:
    """What a causal language model says to `ids`."""
    with torch.no_grad():
        return module(torch.tensor(ids).long()).logits.numpy()


def continued_by(torch: Any, module: Any, prompt: np.ndarray, count: int) -> list[int]:
    """The likeliest `count` tokens after `prompt` (seq,), one after another, as transformers' own loop finds them."""
    ids = torch.tensor(prompt[None]).long()
    with torch.no_grad():
        found = module.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False, pad_token_id=0)
    return found[0, len(prompt) :].tolist()
