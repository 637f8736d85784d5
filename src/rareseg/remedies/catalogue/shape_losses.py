"""Losses on ranks, distances, skeletons and neighbourhoods: most serve beside another loss."""

from rareseg.remedies.catalogue.entry import Remedy, Setting
from rareseg.remedies.catalogue.judging import compact, lines, rare, untold

RAMP = Setting(
    name="ramp",
    kind="number",
    default=0.0,
    low=0,
    high=1,
    meaning="share of the budget over which the term's weight rises from 0; 0: full from the start",
)
_LATE_RAMP = Setting(
    name="ramp",
    kind="number",
    default=0.5,
    low=0,
    high=1,
    meaning="share of the budget over which the term's weight rises from 0; 0: full from the start",
)
_CLASSES = Setting(
    name="classes",
    kind="class indices",
    default=None,
    low=0,
    meaning="classes that are looked at; none: all but the first of exclusive classes",
)
_SMOOTHING = Setting(
    name="smoothing",
    kind="number",
    default=1.0,
    low=0,
    high=1e9,
    unit="px",
    meaning="added to both sides of a ratio",
)


LOVASZ = Remedy(
    name="lovasz",
    family="loss",
    summary="a convex stand-in for 1 - IoU, exact for hard answers; softmax or, for overlapping classes, hinge form",
    formula="sum over pixels, worst error first, of error x the fall of IoU when that pixel turns wrong",
    reference="Berman 2018, arXiv:1705.08790, eq. 9 (hinge), eq. 11 (softmax)",
    when="IoU is the score; after or beside cross_entropy",
    traps=(
        "alone from random weights it follows few pixels: add cross_entropy, or let it ramp up",
        "given probabilities instead of logits, some packages compute something else without a word",
    ),
    settings=(
        Setting(
            name="per_image", kind="flag", default=False, meaning="one score per image instead of per batch"
        ),
        Setting(
            name="classes",
            kind="name",
            default="present",
            choices=("present", "all"),
            exclusive_only=True,
            meaning="softmax form: whether classes that the batch lacks count",
        ),
        Setting(
            name="bins",
            kind="whole number",
            default=0,
            low=0,
            high=65536,
            meaning="0: exact, by sorting; else errors are rounded to so many bins",
        ),
        RAMP,
    ),
    judge=rare,
)

BOUNDARY = Remedy(
    name="boundary",
    family="loss",
    summary="probability times signed distance to the mask's edge: far false alarms cost most",
    formula="mean over pixels of p phi, phi = signed distance to the mask's edge over the image's diagonal, < 0 inside",
    reference="Kervadec 2019, arXiv:1812.07032, eq. 5",
    when="compact objects whose edges matter, beside generalised_dice or dice",
    traps=(
        "alone it has a trivial answer (everywhere empty): add a region loss, and let its weight rise",
        "published codes give an absent class distance 0, so its false positives are free; here they cost most",
    ),
    settings=(_CLASSES, _LATE_RAMP),
    judge=compact,
)

HAUSDORFF = Remedy(
    name="hausdorff",
    family="loss",
    summary="squared errors weighted by their distance to both edges: a stand-in for the Hausdorff distance",
    formula="mean of (p - g)^2 (d_p^exponent + d_g^exponent), distances over the image's diagonal",
    reference="Karimi 2019, arXiv:1904.10030, eq. 8",
    when="outlying false alarms must go; after a warm-up beside dice",
    traps=(
        "unstable while maps are still wrong everywhere: let it ramp up",
        "distance maps take time on the processor",
    ),
    settings=(
        Setting(
            name="exponent",
            kind="number",
            default=2.0,
            low=0,
            high=10,
            open_low=True,
            meaning="power of distances",
        ),
        _CLASSES,
        _LATE_RAMP,
    ),
    judge=untold("see after training whether false alarms lie far from every object"),
)

CLDICE = Remedy(
    name="cldice",
    family="loss",
    summary="Dice of soft skeletons: a gap in a road costs as much as a missing road",
    formula="1 - 2 P S / (P + S), P = |S_p g| / |S_p|, S = |S_g p| / |S_g|, S_x the soft skeleton of x",
    reference="Shit 2021, arXiv:2003.07311, eq. 2",
    when="thin, connected classes (roads, vessels, cracks) whose breaks matter",
    traps=(
        "iterations must reach half the width of the widest object, or the skeleton stays a band",
        "alone it does not care for width: add dice or cross_entropy",
        "the published module ignores its iterations argument",
    ),
    settings=(
        Setting(
            name="iterations",
            kind="whole number",
            default=10,
            low=0,
            high=1000,
            unit="px",
            meaning="erosions of the skeleton: at least half the largest width",
        ),
        _SMOOTHING,
        _CLASSES,
        RAMP,
    ),
    judge=lines,
)

SKELETON_RECALL = Remedy(
    name="skeleton_recall",
    family="loss",
    summary="recall on the thickened skeleton of the mask: keeps thin lines whole at little cost",
    formula="1 - (sum p s + e) / (sum s + e), s = the mask's skeleton, thickened by radius, inside the mask",
    reference="Kirchhoff 2024, arXiv:2404.03010, eq. 4",
    when="thin, connected classes; beside cross_entropy + dice",
    traps=("it rewards recall only: never alone",),
    settings=(
        Setting(
            name="radius",
            kind="whole number",
            default=2,
            low=0,
            high=1000,
            unit="px",
            meaning="thickening of skeletons",
        ),
        _SMOOTHING,
        _CLASSES,
        RAMP,
    ),
    judge=lines,
)

RMI = Remedy(
    name="rmi",
    family="loss",
    summary="mutual information of neighbourhoods of map and mask: structure instead of single pixels",
    formula="1/2 ln det(cov(Y) - cov(Y, P) cov(P)^-1 cov(P, Y)) over radius x radius neighbourhoods, per pixel of one",
    reference="Zhao 2019, arXiv:1910.12037, eq. 12-14",
    when="textured classes; as 0.5*cross_entropy + 0.5*rmi",
    traps=(
        "alone it has no scale: the paper adds cross-entropy",
        "needs crops of many pooled neighbourhoods",
    ),
    settings=(
        Setting(
            name="radius",
            kind="whole number",
            default=3,
            low=1,
            high=10,
            meaning="side of neighbourhoods, in averages",
        ),
        Setting(
            name="pool",
            kind="whole number",
            default=4,
            low=1,
            high=64,
            unit="px",
            meaning="averaging beforehand",
        ),
        RAMP,
    ),
    judge=untold("see whether the class differs from the rest by texture rather than by colour"),
)

ENTRIES = (LOVASZ, BOUNDARY, HAUSDORFF, CLDICE, SKELETON_RECALL, RMI)
