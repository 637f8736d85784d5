import numpy as np

from rareseg.imagery.suspicion.looks import Look, cut_windows, spread


def look(labels, name="a"):
    rows, cols = labels.shape
    return Look(np.arange(rows * cols, dtype=np.float32).reshape(1, rows, cols), labels, name)


def test_windows_lie_where_labels_vary_most():
    labels = np.zeros((200, 300), np.int16)
    labels[150:, 220:260] = 1
    found = cut_windows([look(labels)], 2, side=64, most=5)
    assert found.labels.shape == (1, 64, 64)
    assert 0.3 < (found.labels == 1).mean() < 0.7
    first = int(found.pictures[0, 0, 0, 0])
    assert np.array_equal(found.labels[0], labels[first // 300 :, first % 300 :][:64, :64])


def test_looks_of_one_class_and_small_ones_are_left_out():
    varied = np.zeros((80, 80), np.int16)
    varied[:40] = 1
    looks = [look(varied), look(np.zeros((80, 80), np.int16)), look(varied[20:50]), look(varied)]
    assert cut_windows(looks, 2, side=64, most=5).of == (0, 3)
    assert cut_windows(looks, 2, side=64, most=5, empty=True).of == (0, 1, 3)
    assert cut_windows(looks[1:2], 2, side=64, most=5).of == ()


def test_spread_reaches_both_ends():
    assert spread(3, 5) == [0, 1, 2]
    assert spread(100, 4) == [0, 33, 66, 99]
