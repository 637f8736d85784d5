"""Rules about labels and images: what no training can mend."""

from rareseg.causes.cause import A_RATIO, Suspicion, sign
from rareseg.records.evidence import DataEvidence, Evidence, WiringEvidence

PAIRED = 3.0
"""Standard deviations by which true pairs should beat shuffled ones."""
LIKE_A_CLASS, IN_AREAS = 0.25, 0.15
"""What is left out for being mixed, unclear or unlabelled looks like anything: photos tell it by a correlation below
0.1 (0.06 of CamVid's void), and a class by 0.3 to 0.9. Lines between classes lie beside a boundary, all but a tenth."""
FORGIVING = 0.1
"""Slope of the loss by claims on labels without the class, over that on others, below which empty batches teach
nothing, as of Dice."""


def out_of_range(evidence: Evidence) -> Suspicion | None:
    """Labels that no class has: 255 for foreground, ids that start at 1."""
    data = evidence.data
    if data is None or not data.out_of_range or data.out_of_range < 1e-4 or _between(data) or _coloured(data):
        return None
    values = ", ".join(f"{one.value:g}" for one in data.values[:6])
    return Suspicion(
        0.97,
        f"{data.out_of_range:.2%} of the pixels carry a label that no class has; the labels hold {values} "
        f"for {len(data.classes)} classes.",
        (
            sign("share of pixels with a label of no class", data.out_of_range, "0"),
            sign("raw values", values, "0..K-1"),
        ),
    )


def interpolated(evidence: Evidence) -> Suspicion | None:
    """Values between those of classes, along edges: masks resized with interpolation, or saved as JPEG."""
    data = evidence.data
    if data is None or not _between(data):
        return None
    confidence = 0.95 if (data.between_near_edge or 0) > 0.8 or data.lossy_files else 0.75
    return Suspicion(
        confidence,
        f"{data.between or 0:.2%} of the pixels have a value between those of classes, "
        f"{data.between_near_edge or 0:.0%} of them within 2 px of an edge; {data.distinct_values} distinct values.",
        (
            sign("share of in-between values", data.between, "0"),
            sign("of these near an edge", data.between_near_edge, "-"),
            sign("masks in a lossy format", data.lossy_files, "0"),
        ),
    )


def coloured(evidence: Evidence) -> Suspicion | None:
    """Grey values of coloured masks taken for class ids."""
    data = evidence.data
    if data is None or not _coloured(data):
        return None
    return Suspicion(
        0.93,
        f"{_colours(data)}, and grey values made of colours are read as classes.",
        (sign("distinct colours", data.colours, "decoded by palette"),),
    )


def wrong_pairs(evidence: Evidence) -> Suspicion | None:
    """Labels that tell no more of their image than those of any other image."""
    data = evidence.data
    if data is None or data.pair_information is None or data.shuffled_information is None:
        return None
    if not data.shuffled_deviation:
        return None
    score = (data.pair_information - data.shuffled_information) / data.shuffled_deviation
    if score >= PAIRED:
        return None
    signs = (
        sign("information of true pairs over shuffled ones, standard deviations", score, f">= {PAIRED:g}"),
    )
    because = (
        f"Labels tell no more of their own image than of others: {data.pair_information:.4f} nats a pixel against "
        f"{data.shuffled_information:.4f} for shuffled pairs ({score:.1f} standard deviations)."
    )
    return Suspicion(0.9 if score < 1.5 else 0.6, because, signs)


def shifted(evidence: Evidence) -> Suspicion | None:
    """Labels that fit their image better when they are moved."""
    data = evidence.data
    if data is None or data.shift is None or data.shift == (0, 0) or (data.shift_agreement or 0) < 0.5:
        return None
    rows, columns = data.shift
    return Suspicion(
        0.9 if (data.shift_agreement or 0) >= 0.7 else 0.7,
        f"Labels fit their images {data.shift_gain or 0:.2f} times as well when moved by {rows} rows and {columns} "
        f"columns, and {data.shift_agreement or 0:.0%} of the images agree.",
        (
            sign("shift that fits best, px", f"({rows}, {columns})", "(0, 0)"),
            sign("images that agree", data.shift_agreement, "-"),
        ),
    )


def ignored(evidence: Evidence) -> Suspicion | None:
    """The ignored value eats a class."""
    data = evidence.data
    if data is None or data.ignored is None:
        return None
    eaten, gone, alike = data.ignored_of_rare or 0.0, _eaten_whole(data), _like_a_class(data)
    if eaten < 0.5 and data.ignored < 0.9 and not gone and not alike:
        return None
    sure = eaten >= 0.9 or data.ignored > 0.97
    value = "the ignored value" if data.ignored_value is None else f"the ignored value {data.ignored_value}"
    because = f"{data.ignored:.1%} of the pixels carry {value}"
    if data.ignored_of_rare is not None:
        because += f", among them {eaten:.0%} of what the masks draw as something other than background"
    if alike:
        because += (
            f". They look like one another and unlike the rest, as a class does: photos tell them with a correlation "
            f"of {data.ignored_fit or 0:.2f}"
        )
    return Suspicion(
        0.95 if sure else 0.9 if gone else 0.7 if eaten >= 0.5 or data.ignored >= 0.9 else 0.6,
        f"{because}.",
        (
            sign("ignored share", data.ignored, "< 0.5"),
            sign("ignored share of drawn pixels", eaten, "about 0"),
            sign(
                "correlation of what is ignored with what photos show",
                data.ignored_fit,
                f"< {LIKE_A_CLASS:g}",
            ),
        ),
        apart="If what is ignored is of no use to anybody, such as clouds, it is right to leave it out.",
    )


def absent(evidence: Evidence) -> Suspicion | None:
    """A class without a pixel."""
    data = evidence.data
    if data is None:
        return None
    training, held_out = data.absent_in_training, data.absent_in_validation
    if (not training and not held_out) or len(training) == len(data.classes):
        return None
    if (data.out_of_range or 0) > 1e-4:
        # Its pixels are there, under another value.
        return None
    where = [
        f"{', '.join(names)} in {part}"
        for names, part in ((training, "training"), (held_out, "validation"))
        if names
    ]
    because = (
        f"No pixel of {' and of '.join(where)}: not measurable there, and not learnt where training lacks it."
    )
    # Where pixels are ignored, the class may be among them.
    confidence = 0.8 if not training or _eaten_whole(data) else 0.93
    return Suspicion(confidence, because, (sign("absent classes", "; ".join(where), "none"),))


def empty_batches(evidence: Evidence) -> Suspicion | None:
    """Most batches show nothing of the rare class."""
    data = evidence.data
    if data is None or data.empty_batches is None:
        return None
    # An overlap loss says nothing to claims where the class is absent: such batches are lost, not only dull.
    lost = _forgives(evidence.wiring)
    if data.empty_batches < (0.4 if lost else 0.6):
        return None
    if data.shares[evidence.rare] == 0:
        # That is another cause: the class is absent.
        return None
    because = f"{data.empty_batches:.0%} of the batches hold no pixel of the rarest class"
    if lost:
        because += ", and there the loss says nothing: wrong claims of it cost next to nothing"
    return Suspicion(
        0.96 if data.empty_batches >= 0.75 else 0.75,
        f"{because}.",
        (
            sign("batches without the rarest class", data.empty_batches, "< 0.5"),
            sign(
                "slope of the loss by wrong claims in such batches, over that in others",
                None if evidence.wiring is None else evidence.wiring.empty_slope,
                "about 1",
            ),
        ),
    )


def leakage(evidence: Evidence) -> Suspicion | None:
    """Validation that training has seen."""
    data = evidence.data
    if data is None or not (data.shared_images or data.touching_images):
        return None
    shared, touching = data.shared_images or 0.0, data.touching_images or 0.0
    if shared < 0.02 and touching < 0.1:
        return None
    return Suspicion(
        0.95 if shared >= 0.02 else 0.6,
        f"{shared:.0%} of the validation images are in training too, and {touching:.0%} touch a training image.",
        (sign("shared images", shared, "0"), sign("touching images", touching, "0")),
    )


def noisy(evidence: Evidence) -> Suspicion | None:
    """Labels of some images disagree with what the others say."""
    data = evidence.data
    if data is None:
        return None
    burnt = data.nodata_labelled or 0.0
    if not data.suspects and burnt < 0.05:
        return None
    listed = ", ".join(data.suspects[:5])
    because = f"{len(data.suspects)} images disagree with the rest: {listed}." if listed else ""
    if burnt >= 0.05:
        because = f"{because} {burnt:.0%} of the rare pixels lie where the photo holds nothing.".strip()
    return Suspicion(
        0.75 if data.suspects else 0.7,
        because,
        (sign("suspect images", len(data.suspects), "0"), sign("labels without photo", burnt, "0")),
    )


def fed_differently(evidence: Evidence) -> Suspicion | None:
    """Prediction feeds other numbers than training did."""
    told = _told_wrongly(evidence)
    if told is not None:
        return told
    data = evidence.data
    if data is None or (data.band_gap is None and data.prediction_scale is None):
        return None
    gap, scale = data.band_gap or 0.0, data.prediction_scale or 1.0
    if gap < 1.0 and 0.5 < scale < 2:
        return None
    return Suspicion(
        0.95 if gap > 3 or not 0.2 < scale < 5 else 0.8,
        f"What is fed at prediction differs from training: band means by {gap:.2f} standard deviations, spread by a "
        f"factor of {scale:.3g}.",
        (
            sign("gap of band means, standard deviations", gap, "< 0.5"),
            sign("spread over training's", scale, "about 1"),
        ),
    )


def _told_wrongly(evidence: Evidence) -> Suspicion | None:
    """Find a saved model that is fed as told, and answers far better when it is fed otherwise."""
    answers = evidence.answers
    if answers is None or answers.better_fed is None:
        return None
    skill, better = answers.fed_skill or 0.0, answers.better_fed_skill or 0.0
    return Suspicion(
        0.95,
        f"The model is fed with {answers.fed}, and its answers fit the labels with skill {skill:.2f}; with "
        f"{answers.better_fed} it is {better:.2f}: so it was trained.",
        (sign("skill as fed, (AP - share) / (1 - share)", skill, f"about {better:.2g}"),),
    )


def _eaten_whole(data: DataEvidence) -> bool:
    """Tell whether a class has no pixel left while some are ignored."""
    return bool(data.absent_in_training) and (data.ignored or 0) > 1e-3


def _forgives(wiring: WiringEvidence | None) -> bool:
    """Tell whether the loss is a ratio that has no slope where the class is absent."""
    if wiring is None or wiring.empty_slope is None:
        return False
    return (wiring.dice_like or 0) >= A_RATIO and abs(wiring.empty_slope) < FORGIVING


def _like_a_class(data: DataEvidence) -> bool:
    """Tell whether what is ignored is a thing of its own that photos show."""
    return (data.ignored_fit or 0) >= LIKE_A_CLASS and (data.ignored_areas or 0) >= IN_AREAS


def _colours(data: DataEvidence) -> str:
    return (
        "The labels look like pictures" if data.colours is None else f"The masks hold {data.colours} colours"
    )


def _between(data: DataEvidence) -> bool:
    many = data.distinct_values is None or data.distinct_values > len(data.classes) + 2
    return not _coloured(data) and (data.between or 0) > 5e-4 and many


def _coloured(data: DataEvidence) -> bool:
    return bool(data.grey_from_colour)
