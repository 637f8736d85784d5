import numpy as np

from rareseg.imagery.suspicion.suspects import suspects_of


def test_wrong_labels_of_one_image_are_found(drawn):
    pictures, labels = drawn(16, 80, contrast=2)
    labels[5] = np.rot90(labels[5])
    assert [suspect.image for suspect in suspects_of(pictures, labels, 1)] == [5]


def test_labels_that_are_half_right_by_chance_are_found_where_the_others_fit_well(drawn):
    pictures, labels = drawn(16, 80, contrast=6)
    assert suspects_of(pictures, labels, 1) == ()
    labels[5] = np.roll(labels[5], 7, axis=1)
    found = suspects_of(pictures, labels, 1)
    assert [suspect.image for suspect in found] == [5]
    # By so much its labels still follow the photo.
    assert float(found[0].reason.split(" by ")[1].split()[0]) > 0.1


def test_unlabelled_roads_are_found(drawn):
    pictures, labels = drawn(16, 80, contrast=3)
    labels[7] = 0
    found = suspects_of(pictures, labels, 1)
    assert [suspect.image for suspect in found] == [7]
    assert "none is labelled" in found[0].reason


def test_good_labels_and_empty_images_raise_no_suspicion(drawn):
    for seed in range(4):
        pictures, labels = drawn(16, seed=seed, contrast=2)
        bare, _ = drawn(2, seed=seed + 50, contrast=0)
        pictures, labels = (
            np.concatenate([pictures, bare]),
            np.concatenate([labels, np.zeros_like(labels[:2])]),
        )
        assert suspects_of(pictures, labels, 1) == ()


def test_labels_that_nothing_teaches_suspect_nobody(drawn):
    assert suspects_of(*drawn(16, contrast=0), 1) == ()
