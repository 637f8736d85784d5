r"""Region mutual information: whether the map says about neighbourhoods what the mask says, not only pixel by pixel.

For each class of each image, map p and mask g (0 or 1) are averaged over pool x pool px; every radius x radius
neighbourhood of the averages is one sample of d = radius^2 numbers, P of the map and Y of the mask. With C sums of
products of deviations from the mean sample (not divided by the number of samples) and a = 5e-4,

    M = C_YY - C_YP (C_PP + a I)^-1 C_PY + a I
    rmi = sum over classes of ln det(M) / (2 d),   mean over images with a counted pixel

M is what the map leaves unknown about the mask, by the best linear guess; -ln det(M) / 2 bounds their mutual
information from below, up to a constant. A pixel that is not counted has p = g = 0, and so have the rows and columns
that are added below and on the right where pool does not divide the image.

The paper takes a sigmoid of each class, trains them as yes-or-no questions and answers by the largest; that is what
`overlapping` classes and one channel are here. Exclusive classes have the softmax, for it is the softmax that
answers and that the cross-entropy beside it trains.

Reference: Zhao et al. 2019, arXiv:1910.12037, eq. 11 to 16; a and the sums as in the authors' code.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from rareseg.errors import SettingError
from rareseg.network.losses.planes import check_whole, read_planes
from rareseg.records.dataset import VOID

MOST_RADIUS = 10
MOST_POOL = 64
_RIDGE = 5e-4
"""a: keeps matrices invertible where a neighbourhood has fewer degrees of freedom than numbers."""


def rmi(
    logits: Tensor,
    labels: Tensor,
    *,
    radius: int = 3,
    pool: int = 4,
    overlapping: bool = False,
    ignore_index: int = VOID,
    valid: Tensor | None = None,
) -> Tensor:
    r"""Log-volume of what neighbourhoods of the map leave unknown about those of the mask.

    This is the region part alone. It cannot tell a map from its negative, and a class that an image lacks adds a
    constant: the paper's loss is 0.5*cross_entropy + 0.5*rmi. Its value may be negative.

    Args:
        logits: (batch, classes, rows, cols), any float; probabilities in float32 (float64 stays), matrices in float64.
        labels: (batch, rows, cols) integers: class indices, or bit sets if `overlapping`.
        radius: Side of a neighbourhood, averages, 1..10.
        pool: Side of the square that is averaged beforehand, px, 1..64.
        overlapping: A pixel may belong to several classes: sigmoid instead of softmax.
        ignore_index: Label of pixels that are left out.
        valid: (batch, rows, cols) bool, False where a pixel is left out too; None leaves none out.

    Returns:
        Scalar, >= classes * ln(5e-4) / 2; 0 with zero gradient if no pixel is counted.

    Raises:
        DataError: if shapes, dtypes or label values do not fit.
        SettingError: if a setting is out of range, or no neighbourhood fits into an image.
    """
    check_whole(radius, "rmi's radius", low=1, high=MOST_RADIUS)
    check_whole(pool, "rmi's pool", low=1, high=MOST_POOL)
    every = tuple(range(logits.shape[1])) if logits.ndim == 4 else None
    planes = read_planes(
        logits, labels, classes=every, overlapping=overlapping, ignore_index=ignore_index, valid=valid
    )
    _check_fit(labels, radius, pool)
    chance = _pooled(torch.where(planes.counted, planes.chance, 0), pool)
    truth = _pooled(planes.holds.to(planes.chance), pool)
    per_image = _log_volumes(_samples(truth, radius), _samples(chance, radius)).sum(dim=1)
    counted = planes.counted.flatten(1).any(dim=1).to(per_image.device)
    mean = torch.where(counted, per_image, 0).sum() / counted.sum().clamp(min=1)
    return (mean / radius**2).to(planes.chance)


def _check_fit(labels: Tensor, radius: int, pool: int) -> None:
    rows, columns = labels.shape[1:]
    side, least = min(rows, columns), (radius - 1) * pool + 1
    if side >= least:
        return
    fit = f"pool={(side - 1) // (radius - 1)}" if side >= radius else f"radius={max(side, 1)} and pool=1"
    message = (
        f"Expected images of at least {least} px a side, so that rmi's {radius}x{radius} averages of "
        f"{pool}x{pool} px fit; received {rows}x{columns} px. Take larger crops, or set rmi's {fit}."
    )
    raise SettingError(message)


def _pooled(planes: Tensor, pool: int) -> Tensor:
    """Return the averages of pool x pool px, in float64; zeros are added where pool does not divide the sides."""
    rows, columns = planes.shape[2:]
    padded = F.pad(planes, (0, -columns % pool, 0, -rows % pool))
    averages = F.avg_pool2d(padded, pool) if pool > 1 else padded
    # Apple's devices have no float64; what is left to do is small.
    return (averages.cpu() if averages.device.type == "mps" else averages).double()


def _samples(planes: Tensor, radius: int) -> Tensor:
    """Return (batch, classes, radius^2, samples): neighbourhoods, less their mean."""
    rows, columns = (side - radius + 1 for side in planes.shape[2:])
    parts = [
        planes[:, :, row : row + rows, column : column + columns].flatten(2)
        for row in range(radius)
        for column in range(radius)
    ]
    samples = torch.stack(parts, dim=2)
    return samples - samples.mean(dim=3, keepdim=True)


def _log_volumes(truth: Tensor, chance: Tensor) -> Tensor:
    """Return ln det(M) / 2, (batch, classes), of samples (batch, classes, numbers, samples)."""
    ridge = _RIDGE * torch.eye(truth.shape[2], dtype=truth.dtype, device=truth.device)
    own = torch.linalg.cholesky(chance @ chance.mT + ridge)
    shared = torch.linalg.solve_triangular(own, chance @ truth.mT, upper=False)
    left = torch.linalg.cholesky(truth @ truth.mT - shared.mT @ shared + ridge)
    volumes: Tensor = left.diagonal(dim1=-2, dim2=-1).log().sum(dim=-1)
    return volumes
