import numpy as np

from zerfoo_jax.data.digit_scenes import BACKGROUND, digit_scenes
from zerfoo_jax.data.digits import load_digits


def test_a_scene_of_one_digit_shows_it_enlarged_where_the_mask_says():
    data = digit_scenes(size=16, digits_per_scene=1, train_scenes=30, validation_scenes=3)
    batch = data.train.batch(np.arange(30))
    pictures, labels = load_digits()
    for scene, mask in zip(batch["inputs"], batch["targets"], strict=True):
        small = scene[::2, ::2]
        np.testing.assert_array_equal(scene[1::2, 1::2], small)
        [found] = [i for i, picture in enumerate(pictures) if np.array_equal(picture, small)][:1]
        assert found < len(labels) * 4 // 5
        assert set(np.unique(mask)) == {labels[found], BACKGROUND}
        np.testing.assert_array_equal(mask != BACKGROUND, scene[..., 0] >= 0.25)


def test_the_darkest_ink_wins_and_scenes_depend_on_their_number_and_the_seed_only():
    data = digit_scenes(digits_per_scene=9)
    all_at_once, alone = data.train.batch(np.array([7, 3, 7])), data.train.batch(np.array([3]))
    for name in ("inputs", "targets"):
        np.testing.assert_array_equal(all_at_once[name][0], all_at_once[name][2])
        np.testing.assert_array_equal(all_at_once[name][1:2], alone[name])
    assert not np.array_equal(alone["inputs"], digit_scenes(digits_per_scene=9, seed=1).train.batch(np.array([3]))["inputs"])
    assert not np.array_equal(alone["inputs"], data.validation.batch(np.array([3]))["inputs"])
    np.testing.assert_array_equal(alone["targets"] != BACKGROUND, alone["inputs"][..., 0] >= 0.25)


def test_the_baseline_is_the_share_of_background():
    data = digit_scenes(validation_scenes=20)
    masks = data.validation.batch(np.arange(20))["targets"]
    assert data.baselines == {"background_accuracy": float(np.mean(masks == BACKGROUND))}
