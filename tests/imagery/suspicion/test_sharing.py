import cv2
import numpy as np

from rareseg.imagery.suspicion.sharing import Place, named_places, overlaps, same_images, thumbnail


def photos(count, seed=0):
    random = np.random.default_rng(seed)
    noise = [
        cv2.GaussianBlur(random.normal(0, 1, (96, 96, 3)).astype(np.float32), (0, 0), 2) for _ in range(count)
    ]
    return [np.clip(128 + 300 * one.transpose(2, 0, 1), 0, 255) for one in noise]


def compressed(photo, quality=40):
    stored = cv2.imencode(
        ".jpg", photo.transpose(1, 2, 0).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )[1]
    return cv2.imdecode(stored, cv2.IMREAD_COLOR).transpose(2, 0, 1).astype(np.float32)


def test_the_same_photo_is_known_compressed_scaled_and_mirrored():
    known, other = photos(4), photos(3, seed=9)
    asked = [compressed(known[1]), known[2][:, :, ::-1] / 255, np.rot90(known[3], axes=(1, 2)), *other]
    found = same_images([thumbnail(one) for one in known], [thumbnail(one) for one in asked])
    assert found.tolist() == [True, True, True, False, False, False]


def test_the_same_texture_in_another_place_is_another_photo():
    (photo,) = photos(1)
    ramp = np.linspace(0, 400, 96, dtype=np.float32)
    found = same_images([thumbnail(photo + ramp)], [thumbnail(photo - ramp[:, None])])
    assert not found.any()


def test_empty_photos_are_like_none():
    flat = thumbnail(np.full((3, 64, 64), 255, np.float32))
    assert not same_images([flat], [flat]).any()


def test_names_with_offsets_give_places():
    places = named_places(["a_y0_x0", "a_y0_x500", "b_y0_x0", "a_y250_x100", "c"], [(500, 500)] * 5)
    assert places[1] == Place("a", 0, 500, 500, 1000)
    assert places[4] is None
    over, beside = overlaps(places[:1], places[1:])
    assert over.tolist() == [False, False, True, False]
    assert beside.tolist() == [True, False, False, False]


def test_numbers_of_tiles_are_no_offsets():
    assert named_places(["a_y0_x0", "a_y0_x1"], [(500, 500)] * 2) == [None, None]


def test_corners_do_not_touch():
    places = named_places(["a_y0_x0", "a_y500_x500", "a_y0_x600"], [(500, 500)] * 3)
    over, beside = overlaps(places[:1], places[1:])
    assert not over.any()
    assert not beside.any()
