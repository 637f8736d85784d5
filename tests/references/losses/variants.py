"""Settings other than the defaults, for each loss: every own setting is changed at least once."""

from tests.references.losses.cases import KINDS, WEIGHTS

PER_IMAGE = {"per_image": True}
ERRORS = {"false_positive_weight": 0.8, "false_negative_weight": 0.1}


def variants(name: str, kind: str) -> dict[str, dict]:
    """Return settings by a short name; "default" is the first."""
    weights = {"weights": WEIGHTS[kind]}
    classes = KINDS[kind].classes
    some = {"classes": (0,) if classes == 1 else (classes - 1,)}
    smoothing = {"smoothing": 2.5}
    alpha = {"alpha": tuple(0.9 - 0.15 * number for number in range(classes))}
    own = {
        "cross_entropy": {
            "smoothed": {"smoothing": 0.1},
            "weighted": weights,
            "smoothed and weighted": {"smoothing": 0.3, **weights},
        },
        "focal": {
            "gamma 0": {"gamma": 0.0},
            "gamma 0.5": {"gamma": 0.5},
            "gamma 1": {"gamma": 1.0},
            "gamma 3.3": {"gamma": 3.3},
            "alpha": alpha,
            "weighted": weights,
            "all": {"gamma": 1.5, **alpha, **weights},
        },
        "top_k": {"share 0.37": {"share": 0.37}, "weighted": weights, "all": {"share": 0.6, **weights}},
        "ohem": {
            "threshold 0.2": {"threshold": 0.2},
            "least share": {"threshold": 0.01, "least_share": 0.3},
            "weighted": weights,
            "all": {"threshold": 0.3, "least_share": 0.5, **weights},
        },
        "logit_adjusted": {"temperature 0.4": {"temperature": 0.4}},
        "balanced_softmax": {},
        "ldam": {
            "margin 1.3": {"max_margin": 1.3},
            "scale 3": {"scale": 3.0},
            "weighted": weights,
            "all": {"max_margin": 0.2, "scale": 2.0, **weights},
        },
        "dice": {"squared": {"squared": True}},
        "jaccard": {"squared": {"squared": True}},
        "generalised_dice": {
            "inverse": {"weighting": "inverse"},
            "uniform": {"weighting": "uniform"},
            "inverse per image": {"weighting": "inverse", **PER_IMAGE},
        },
        "tversky": {"errors": ERRORS, "all": {**ERRORS, **PER_IMAGE, **smoothing, **some}},
        "focal_tversky": {
            "errors": ERRORS,
            "exponent 2": {"exponent": 2.0},
            "all": {"exponent": 1.5, **ERRORS, **PER_IMAGE, **smoothing, **some},
        },
        "combo": {
            "balance": {"balance": 0.2},
            "misses": {"false_negative_weight": 0.8},
            "smoothing": smoothing,
        },
        "unified_focal": {
            "symmetric": {"asymmetric": False},
            "balance": {"balance": 0.2},
            "delta": {"delta": 0.85},
            "gamma": {"gamma": 0.2},
            "symmetric, all": {"asymmetric": False, "balance": 0.7, "delta": 0.3, "gamma": 0.7},
            **({"background": {"background": classes - 1}} if kind in {"two", "five"} else {}),
        },
        "lovasz": {"per image": PER_IMAGE}
        | ({"all classes": {"classes": "all"}} if kind in {"two", "five"} else {}),
        "boundary": {},
        "hausdorff": {"exponent 1": {"exponent": 1.0}, "exponent 3": {"exponent": 3.0}},
        "cldice": {"2 iterations": {"iterations": 2}, "1 iteration": {"iterations": 1}},
        "skeleton_recall": {"radius 0": {"radius": 0}, "radius 1": {"radius": 1}},
        "rmi": {"radius 2": {"radius": 2}, "pool 2": {"pool": 2}, "no pool": {"pool": 1}},
    }[name]
    if name in {"dice", "jaccard", "generalised_dice", "tversky", "focal_tversky"}:
        own = own | {"per image": PER_IMAGE}
    if name in {"dice", "jaccard", "tversky", "focal_tversky"}:
        own = own | {"smoothing": smoothing, "no smoothing": {"smoothing": 0.0}}
    if name in {"cldice", "skeleton_recall"}:
        own = own | {"smoothing": {"smoothing": 0.3}}
    takes_classes = {"dice", "jaccard", "generalised_dice", "tversky", "focal_tversky"} | {
        "boundary",
        "hausdorff",
        "cldice",
        "skeleton_recall",
    }
    if name in takes_classes:
        own = own | {"one class": some}
    return {"default": {}} | own
