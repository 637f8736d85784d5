import subprocess
import sys

import cv2
import numpy as np

from rareseg.measures.skeletons import thickened_skeleton


def bent_road():
    mask = np.zeros((40, 50), bool)
    mask[10:17] = True
    mask[:, 20:25] = True
    return mask


def test_the_skeleton_is_thin_connected_and_in_the_middle():
    mask = bent_road()
    line = thickened_skeleton(mask, 0)
    assert line.sum() < mask.sum() / 4
    assert (line <= mask).all()
    assert cv2.connectedComponents(line.view(np.uint8), connectivity=8)[0] == 2
    assert line[13, 2:15].all()
    assert line[20:35, 22].all()


def test_each_step_widens_by_a_pixel_and_stays_in_the_mask():
    mask = bent_road()
    widths = [thickened_skeleton(mask, radius)[:, 40].sum() for radius in (0, 1, 2, 3, 9)]
    assert widths == [1, 3, 5, 7, 7]
    assert (thickened_skeleton(mask, 99) <= mask).all()


def test_steps_go_to_four_neighbours_across_gaps():
    mask = np.zeros((9, 9), bool)
    mask[4, 4] = mask[4, 6] = mask[6, 6] = True
    # All three are their own skeletons; nothing else is of the mask.
    assert (thickened_skeleton(mask, 2) == mask).all()


def test_nothing_has_no_skeleton():
    assert not thickened_skeleton(np.zeros((5, 7), bool), 2).any()


def test_scikit_image_is_loaded_when_it_is_needed():
    code = "import sys, rareseg.measures.skeletons; print('skimage' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
