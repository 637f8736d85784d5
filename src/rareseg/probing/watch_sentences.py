"""What the watch says: the numbers of a class, and what to do."""

from rareseg.measures.collapse import CONSTANT_DEVIATION, VARIED_DEVIATION
from rareseg.probing.watch_window import ClassNumbers

# A mean probability this many times below the prevalence is never reached by learning shares.
_NEVER = 100.0
# Below this the log-odds hardly vary, as of a network that has hardly moved.
_HARDLY = 0.1

SINGLE = (
    "Collapsed: constant output: the answer is 1 everywhere, as softmax over a single channel gives; use sigmoid for "
    "one channel, or two channels"
)
CONSTANT = "Collapsed: constant output, the same answer at every pixel"


def saturated(one: ClassNumbers) -> bool:
    """Whether the class is as good as never answered, whatever its log-odds far below that do."""
    return one.mean_probability * _NEVER < one.prevalence


def restart(one: ClassNumbers) -> str:
    """Return what to do about the same answer everywhere."""
    if saturated(one) and one.deviation > CONSTANT_DEVIATION:
        return (
            f"its mean probability is {one.mean_probability:.2g}, where Dice and its kin have no slope: start again at "
            "a tenth of the learning rate, with the head's bias at the class shares and cross-entropy beside Dice"
        )
    return (
        "start again, at a tenth of the learning rate and with a warm-up (dead ReLUs do not come back), and check "
        "that images are scaled and not blank"
    )


def meanwhile(one: ClassNumbers) -> str:
    """Return what the output does while nothing is learnt."""
    if one.deviation >= VARIED_DEVIATION:
        return "the output varies from pixel to pixel"
    return "the output hardly varies" if one.deviation < _HARDLY else "the output varies a little"


def advice(one: ClassNumbers) -> str:
    """Return what to do about a training that learns nothing."""
    if one.deviation >= VARIED_DEVIATION:
        return (
            "check that images and masks belong together and lie alike, then try a tenth of the learning rate"
        )
    return (
        "check that weights move (learning rate, frozen layers), then try ten times and a tenth of the learning rate, "
        "with the head's bias at the class shares"
    )


def move(one: ClassNumbers) -> str:
    """Return what to do about a threshold that is off."""
    if one.deviation < _HARDLY:
        return "log-odds hardly vary yet: raise the learning rate or train longer, then choose a threshold"
    return "no new training is needed: choose the threshold on validation data, or subtract ln(share) from the logits"


def named(one: ClassNumbers) -> str:
    """Return the name in quotes."""
    return f'"{one.name}"'


def percent(share: float) -> str:
    """Return a share 0..1 in percent."""
    return f"{100 * share:.3g} %"


def numbers_of(one: ClassNumbers) -> str:
    """Return the numbers of a class as a clause."""
    return (
        f"class {named(one)} has average precision {one.average_precision:.3g} at prevalence {one.prevalence:.3g} "
        f"(lift {one.lift:.2f}), its log-odds deviate by {one.deviation:.2g} over pixels and "
        f"{percent(one.predicted_share)} of pixels are given to it"
    )
