"""Small pictures for pages: photos as JPEG, whatever their bands and dtype, and grey planes as PNG."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_QUALITY = 88
_MARK = (255, 228, 92)
"""Red, green, blue: seen on fields, streets and skin alike."""
_INSIDE, _EDGE, _DARK = 70, 255, 150
"""Opacity inside a mark, along its edge, and of what is darkened."""


def photo_jpeg(photo: NDArray[Any], has_photo: NDArray[np.bool_]) -> bytes:
    """Return the first three bands, or the first one in grey, as JPEG.

    Args:
        photo: (bands, rows, cols); what is not uint8 is stretched from its 1st to its 99th percentile, band by band.
        has_photo: (rows, cols), where the photo has data: elsewhere nothing is stretched by it.
    """
    bands = photo[:3] if len(photo) >= 3 else photo[[0, 0, 0]]
    if bands.dtype != np.uint8:
        seen = np.nan_to_num(bands.astype(np.float64))
        inside = seen[:, has_photo] if has_photo.any() else seen.reshape(3, -1)
        low, high = (np.percentile(inside, share, axis=1)[:, None, None] for share in (1, 99))
        bands = (((seen - low) / np.maximum(high - low, 1e-12)).clip(0, 1) * 255).round()
    drawn = np.ascontiguousarray(bands.astype(np.uint8).transpose(1, 2, 0))
    return bytes(cv2.imencode(".jpg", drawn[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1])


def grey_png(plane: NDArray[np.uint8]) -> bytes:
    """Return a plane (rows, cols) as grey PNG, without loss."""
    return bytes(cv2.imencode(".png", plane, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1])


def marked_png(marked: NDArray[np.bool_], darkened: NDArray[np.bool_]) -> bytes:
    """Return a PNG to lay over a photo: an outline and a tint of what is `marked`, a shade over what is `darkened`.

    Both (rows, cols).
    """
    # Outside the picture it goes on, so that no edge is drawn along the picture's own.
    inner = cv2.erode(marked.view(np.uint8), np.ones((3, 3), np.uint8), borderValue=1)
    drawn = np.zeros((*marked.shape, 4), np.uint8)
    drawn[darkened, 3] = _DARK
    drawn[marked, :3] = _MARK[::-1]
    drawn[..., 3] = np.where(marked, np.where(inner == 1, _INSIDE, _EDGE), drawn[..., 3])
    return bytes(cv2.imencode(".png", drawn, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1])
