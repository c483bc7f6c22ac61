import jax
import numpy as np
import pytest

from tests.support.layers import assert_close, random_variables
from zerfoo_jax.core.layer import check
from zerfoo_jax.core.types import Spec
from zerfoo_jax.data import labelled_text
from zerfoo_jax.models import text_classifier

ENCODERS = ("gru", "mean", "transformer")
SMALL = {"num_classes": 3, "vocab_size": 11, "features": 8, "num_heads": 2, "hidden": 12}
LENGTHS = np.array([6, 3, 1, 0])
IDS = np.where(np.arange(6)[None] < LENGTHS[:, None], np.random.default_rng(0).integers(1, 11, (4, 6)), 0).astype(np.int32)

every_encoder = pytest.mark.parametrize("encoder", ENCODERS)


def tensors(torch, params):
    return jax.tree.map(lambda p: torch.tensor(np.asarray(p)), params)


@pytest.mark.oracle
def test_the_mean_agrees_with_torch(torch):
    model = text_classifier(**SMALL, encoder="mean")
    params, state = random_variables(model, IDS)
    p = tensors(torch, params)
    bag = torch.nn.EmbeddingBag(11, 8, mode="mean", padding_idx=0, _weight=p["embedding"]["embedding_0"]["embedding"])
    expected = bag(torch.tensor(IDS)) @ p["classes"]["kernel"] + p["classes"]["bias"]
    assert_close(model.apply(params, state, IDS)[0], expected.detach().numpy(), 1e-5)


@pytest.mark.oracle
@pytest.mark.parametrize("num_layers", [1, 2])
def test_the_gru_agrees_with_torch(torch, num_layers):
    model = text_classifier(**SMALL, encoder="gru", num_layers=num_layers)
    params, state = random_variables(model, IDS)
    p = tensors(torch, params)
    gru = torch.nn.GRU(8, 8, num_layers, bidirectional=True, batch_first=True)
    for layer in range(num_layers):
        for direction, suffix in (("forward", ""), ("backward", "_reverse")):
            own = p["gru"][f"{direction}_{layer}"]
            arrays = {
                "weight_ih": own["input"]["kernel"].T,
                "weight_hh": own["recurrent"]["kernel"].T,
                "bias_ih": own["input"]["bias"],
                "bias_hh": torch.cat([torch.zeros(16), own["recurrent"]["bias"]]),
            }
            for name, array in arrays.items():
                getattr(gru, f"{name}_l{layer}{suffix}").data = array.contiguous()
    x = p["embedding"]["embedding_0"]["embedding"][torch.tensor(IDS[:3]).long()]
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor(LENGTHS[:3]), batch_first=True)  # takes no empty text
    _, last = gru(packed)
    expected = torch.cat([last[-2], last[-1]], -1) @ p["classes"]["kernel"] + p["classes"]["bias"]
    logits = model.apply(params, state, IDS)[0]
    assert_close(logits[:3], expected.detach().numpy(), 1e-5)
    assert_close(logits[3], p["classes"]["bias"].numpy(), 1e-6)


@every_encoder
def test_padding_changes_nothing_and_order_does_but_for_the_mean(encoder):
    model = text_classifier(**SMALL, encoder=encoder, num_layers=2)
    params, state = random_variables(model, IDS)
    run = jax.jit(lambda *texts: [model.apply(params, state, ids)[0] for ids in texts])
    longer, reversed_ = np.pad(IDS, ((0, 0), (0, 5))), IDS[:, ::-1].copy()
    logits, padded, alone, backwards = run(IDS, longer, IDS[1:2, :3], reversed_)
    assert np.isfinite(logits).all()
    assert_close(padded, logits, 1e-5)
    assert_close(alone, logits[1:2], 1e-5)
    assert np.allclose(backwards[0], logits[0], atol=1e-4) == (encoder == "mean")


@every_encoder
def test_takes_the_texts_of_labelled_text(encoder, tmp_path):
    (tmp_path / "texts.csv").write_text("text,label\n" + "good film,yes\nbad,no\n" * 8, encoding="utf-8")
    data = labelled_text(path=str(tmp_path / "texts.csv"), sequence_length=5, vocab_size=10)
    model = text_classifier(num_classes=2, vocab_size=10, encoder=encoder, features=8, num_heads=2)
    batch = data.train.batch(np.arange(4))
    assert check(model, Spec(batch["inputs"].shape, batch["inputs"].dtype)).shape == (4, 2)
