"""Losses on the overlap of map and mask, and sums that contain one."""

from rareseg.remedies.catalogue.entry import Remedy, Setting
from rareseg.remedies.catalogue.judging import rare

_CLASSES = Setting(
    name="classes",
    kind="class indices",
    default=None,
    low=0,
    meaning="classes that the mean runs over; none: all",
)
_PER_IMAGE = Setting(
    name="per_image",
    kind="flag",
    default=False,
    meaning="a score for each image instead of one for the batch",
)
_SMOOTHING = Setting(
    name="smoothing",
    kind="number",
    default=0.5,
    low=0,
    high=1e9,
    unit="px",
    meaning="pixels added to hits and to the union, which keeps a class that is absent measurable",
)
_SQUARED = Setting(
    name="squared", kind="flag", default=False, meaning="squares instead of plain sums in the denominator"
)
_TVERSKY = (
    Setting(
        name="false_positive_weight",
        kind="number",
        default=0.3,
        low=0,
        high=1e6,
        meaning="cost of a false positive",
    ),
    Setting(
        name="false_negative_weight",
        kind="number",
        default=0.7,
        low=0,
        high=1e6,
        meaning="cost of a missed pixel",
    ),
)
_EMPTY = "published codes leave out classes that a batch lacks, and make false positives there free; not here"
_CALIBRATION = "probabilities run to 0 and 1: read them as a ranking, or calibrate them"

DICE = Remedy(
    name="dice",
    family="loss",
    summary="1 - Dice overlap; true background does not enter, so the majority cannot drown the rare class",
    formula="1 - (2 TP + 2 s) / (sum p + sum g + 2 s), TP = sum p g; squared: sum p^2 + sum g",
    reference="Milletari 2016, arXiv:1606.04797 (squared); Drozdzal 2016, arXiv:1608.04117 (plain)",
    when="the rare class must be mapped rather than ranked; best added to cross_entropy",
    traps=(
        _EMPTY,
        _CALIBRATION,
        "alone, from random weights, it may learn nothing for long: its gradient vanishes at p near 0 or 1",
        "one image at a time it is noise for small objects: the default takes the batch as one",
    ),
    settings=(_SQUARED, _PER_IMAGE, _SMOOTHING, _CLASSES),
    judge=rare,
)

GENERALISED_DICE = Remedy(
    name="generalised_dice",
    family="loss",
    summary="Dice over all classes at once, each weighted by the inverse square of its size",
    formula="1 - 2 sum_c w_c TP_c / sum_c w_c (sum p_c + sum g_c), w_c = 1 / (sum g_c)^2",
    reference="Sudre 2017, arXiv:1707.03237, eq. 1",
    when="several classes of very different size, each present in most batches",
    traps=(
        "a class that the batch lacks has an infinite weight: it gets the largest finite one",
        _CALIBRATION,
    ),
    settings=(
        Setting(
            name="weighting",
            kind="name",
            default="inverse_square",
            choices=("inverse_square", "inverse", "uniform"),
            meaning="weight of a class by its size in the batch",
        ),
        _PER_IMAGE,
        _CLASSES,
    ),
    judge=rare,
)

JACCARD = Remedy(
    name="jaccard",
    family="loss",
    summary="1 - IoU with probabilities in place of decisions",
    formula="1 - (TP + s) / (sum p + sum g - TP + s)",
    reference="Rahman 2016, doi:10.1007/978-3-319-50835-1_22",
    when="as dice; the score itself is IoU",
    traps=(_EMPTY, _CALIBRATION, "its gradient is smaller than Dice's where the overlap is small"),
    settings=(_SQUARED, _PER_IMAGE, _SMOOTHING, _CLASSES),
    judge=rare,
)

TVERSKY = Remedy(
    name="tversky",
    family="loss",
    summary="Dice with separate costs for false positives and misses",
    formula="1 - (TP + s) / (TP + a FP + b FN + s), a = false_positive_weight, b = false_negative_weight",
    reference="Salehi 2017, arXiv:1706.05721, eq. 3",
    when="a miss costs more than a false alarm (or less)",
    traps=(
        "published codes disagree which of alpha and beta is which: here both have names",
        _EMPTY,
        _CALIBRATION,
    ),
    settings=(*_TVERSKY, _PER_IMAGE, _SMOOTHING, _CLASSES),
    judge=rare,
)

FOCAL_TVERSKY = Remedy(
    name="focal_tversky",
    family="loss",
    summary="Tversky raised to a power below 1, which keeps pushing classes that are nearly right",
    formula="mean over classes of (1 - Tversky index)^exponent",
    reference="Abraham 2018, arXiv:1810.07842, eq. 4 (its gamma is 1 / exponent)",
    when="as tversky, for small objects",
    traps=("the paper's gamma = 4/3 is an exponent of 0.75; codes call either gamma", _CALIBRATION),
    settings=(
        *_TVERSKY,
        Setting(
            name="exponent",
            kind="number",
            default=0.75,
            low=0,
            high=10,
            open_low=True,
            meaning="power of 1 - index; below 1 pushes good classes, above 1 bad ones",
        ),
        _PER_IMAGE,
        _SMOOTHING,
        _CLASSES,
    ),
    judge=rare,
)

COMBO = Remedy(
    name="combo",
    family="loss",
    summary="a weighted binary cross-entropy and 1 - Dice, mixed",
    formula="balance mean(-(b g ln p + (1 - b)(1 - g) ln(1 - p))) + (1 - balance)(1 - Dice), b = false_negative_weight",
    reference="Taghanaki 2018, arXiv:1805.02798, eq. 3",
    when="as cross_entropy + dice, with the cost of misses in one number",
    traps=(
        "b weighs yes against no where each class is a question of its own; of exclusive classes it weighs "
        "every class but the first against the first, and needs the background there",
        _CALIBRATION,
    ),
    settings=(
        Setting(
            name="balance", kind="number", default=0.5, low=0, high=1, meaning="share of the cross-entropy"
        ),
        Setting(
            name="false_negative_weight",
            kind="number",
            default=0.5,
            low=0,
            high=1,
            meaning="weight of missed pixels; false positives get the rest",
        ),
        _SMOOTHING,
    ),
    judge=rare,
)

UNIFIED_FOCAL = Remedy(
    name="unified_focal",
    family="loss",
    summary="focal and focal Tversky in one, with three numbers for both",
    formula="balance mFocal(delta, gamma) + (1 - balance) mFocalTversky(delta, gamma)",
    reference="Yeung 2021, arXiv:2102.04525, eq. 12-17",
    when="as focal + focal_tversky; asymmetric where one class is the background",
    traps=("asymmetric, background fades and the rare class is enhanced: say which class is the background",),
    settings=(
        Setting(
            name="asymmetric",
            kind="flag",
            default=True,
            meaning="fade only the background, enhance only the rest",
        ),
        Setting(name="balance", kind="number", default=0.5, low=0, high=1, meaning="share of the focal part"),
        Setting(
            name="delta",
            kind="number",
            default=0.6,
            low=0,
            high=1,
            meaning="weight of the rare class and of misses",
        ),
        Setting(
            name="gamma",
            kind="number",
            default=0.5,
            low=0,
            high=1,
            open_high=True,
            meaning="how much background fades and rare classes are enhanced",
        ),
        Setting(
            name="background",
            kind="whole number",
            default=0,
            low=0,
            exclusive_only=True,
            meaning="index of the majority class",
        ),
    ),
    judge=rare,
)

ENTRIES = (DICE, GENERALISED_DICE, JACCARD, TVERSKY, FOCAL_TVERSKY, COMBO, UNIFIED_FOCAL)
