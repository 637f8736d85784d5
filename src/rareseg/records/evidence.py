"""Evidence: what was measured of a data set, a set-up, a network, its answers or its history; nothing decided.

Every section may be missing, and so may every number in it: None means that it was not or cannot be measured, which
`notes` explain; `assumed` says how data, answers and loss were read. Shares are 0..1, losses as the user's own loss
gives them, logits and log-odds in nats.
"""

from typing import Literal

from rareseg.records.codec import Record
from rareseg.records.course_evidence import HistoryEvidence, LayerUnits, LearningEvidence

__all__ = [
    "Activation", "AnswersEvidence", "ClassAnswers", "DataEvidence", "Evidence", "HistoryEvidence", "LabelForm",
    "LayerUnits", "LearningEvidence", "RawValue", "WiringEvidence",
]  # fmt: skip

LabelForm = Literal["indices", "binary", "one-hot", "multi-hot", "unknown"]
"""How targets are written: class indices; 0 and 1 of one class; a channel per class with one 1, or with several."""
Activation = Literal["none", "sigmoid", "softmax", "log-softmax", "constant"]
"""What the last layer does, as its answers show. constant: softmax over one channel."""


class RawValue(Record, frozen=True, kw_only=True):
    """One raw value of masks or targets, and its share of the pixels."""

    value: float
    share: float


class DataEvidence(Record, frozen=True, kw_only=True):
    """Labels and images, from files or from the batches of a training."""

    source: Literal["files", "batches"]
    images: int
    pixels: int
    classes: tuple[str, ...]
    shares: tuple[float, ...]
    """Per class, of the pixels that count."""
    label_form: LabelForm = "unknown"
    values: tuple[RawValue, ...] = ()
    """The most frequent raw values, at most 32, most frequent first."""
    distinct_values: int | None = None
    out_of_range: float | None = None
    """Share of pixels whose label no class has and that is not the ignored value."""
    ignored: float | None = None
    """Share of pixels that are left out."""
    ignored_value: int | None = None
    ignored_of_rare: float | None = None
    """Of the pixels that a mask draws as other than background, the share that is left out."""
    ignored_fit: float | None = None
    """How well photos tell what is left out from the rest: median correlation of an image's left-out pixels with what
    the other images teach of them, away from boundaries between classes; about 0 of spots that look like anything."""
    ignored_areas: float | None = None
    """Of the pixels that are left out, the share that lies away from boundaries between classes."""
    between: float | None = None
    """Share of pixels with a value between those of classes, as interpolation and JPEG make."""
    between_near_edge: float | None = None
    """Of these, the share within 2 px of a boundary between classes."""
    lossy_files: int = 0
    """Masks in a lossy format."""
    colours: int | None = None
    """Distinct colours of masks that are palette or RGB images; None for grey masks."""
    grey_from_colour: bool | None = None
    """Labels are grey values of coloured masks."""
    nothing_hot: float | None = None
    """Share of pixels that no class claims, of one-hot or multi-hot targets."""
    several_hot: float | None = None
    """Share of pixels that several classes claim."""
    absent_in_training: tuple[str, ...] = ()
    absent_in_validation: tuple[str, ...] = ()
    empty_batches: float | None = None
    """Share of the batches (for files: of crops of the usual size) without a pixel of the rarest class."""
    pair_information: float | None = None
    """Nats per pixel of mutual information between image and label, where they are paired as given."""
    shuffled_information: float | None = None
    """The same with labels of other images: mean over permutations."""
    shuffled_deviation: float | None = None
    """Standard deviation over permutations."""
    shift: tuple[int, int] | None = None
    """Rows and columns by which moving the labels makes them fit the image best; (0, 0) is as it should be."""
    shift_gain: float | None = None
    """Fit at that shift over the fit at none; 1 is no gain."""
    shift_agreement: float | None = None
    """Of draws of the images with replacement, the share whose best shift lies within a third of it."""
    shared_images: float | None = None
    """Share of validation images that training holds too, whole or overlapping."""
    touching_images: float | None = None
    """Share of validation images that touch a training image on the ground."""
    suspects: tuple[str, ...] = ()
    """Images whose labels look wrong, worst first."""
    suspect_reasons: tuple[str, ...] = ()
    nodata_labelled: float | None = None
    """Of the labelled pixels of rare classes, the share that lies where the photo holds nothing."""
    band_gap: float | None = None
    """Largest difference of band means between training and prediction, in standard deviations of training."""
    prediction_scale: float | None = None
    """Spread of values at prediction over that at training; 1 is as it should be, 1/255 an unscaled photo."""


class WiringEvidence(Record, frozen=True, kw_only=True):
    """How network, last layer, loss, weights and labels fit, from values of the loss at chosen answers."""

    framework: Literal["torch", "keras", "other"]
    loss_name: str
    optimizer_name: str
    learning_rate: float | None = None
    channels: int
    classes: int
    output_low: float | None
    """None if no answer is finite."""
    output_high: float | None
    sums_to_one: float
    """Share of pixels at which the channels sum to 1 within 1e-3."""
    activation: Activation
    loss_now: float | None
    """On the probe batch, as the network answers."""
    loss_at_right_logits: float | None
    """At logits of +-12 in favour of the label."""
    loss_at_right_probabilities: float | None
    """At probabilities 1 for the label and 0 elsewhere."""
    loss_at_even: float | None
    """At the same answer for every class: 0 as logits, 1/K as probabilities."""
    loss_at_prior: float | None
    """At the class shares everywhere, in the form that the loss wants."""
    loss_at_wrong: float | None
    """At logits of +-12, or probabilities, in favour of the majority class everywhere."""
    wants: Literal["logits", "probabilities", "log-probabilities", "unknown"]
    moved_by_shift: float | None
    """Change of the loss when 1 is added to every logit of a pixel, relative: 0 of a softmax, not of sigmoids."""
    loss_error: str | None = None
    """What the loss raised on the user's own batch."""
    declared_weights: tuple[float, ...] | None = None
    """Class weights that the set-up names."""
    effective_weights: tuple[float, ...] | None = None
    """What a pixel of each class costs, relative to class 0, at the same answer."""
    weighted_by: str | None = None
    """Where the declared weights stand: "loss.weight", "loss.pos_weight", "class_weight"."""
    dice_like: float | None = None
    """How far what is right at rare pixels and what is right elsewhere are from adding up: 0 of a mean over pixels,
    away from 0 of a ratio such as Dice."""
    empty_slope: float | None = None
    """Slope of the loss by claims of the rare class on labels that hold none, over that by misses of it."""
    rare_slope: float | None = None
    """Share of the loss's slope, by the network's present answers, that lies at pixels of the rarest class."""
    parameters: int
    trainable_parameters: int
    smallest_batch: int | None = None
    normalised: bool | None = None
    """The network has layers that normalise by batch."""
    upsampling: tuple[str, ...] = ()
    """Transposed convolutions whose kernel is no multiple of the stride or leaves a checkerboard, a sentence each."""
    precision: str | None = None
    """"fp16", "bf16" or "fp32"."""
    versions: dict[str, str] = {}


class ClassAnswers(Record, frozen=True, kw_only=True):
    """What is answered of one class on labelled pixels that training did not see, if there are such."""

    name: str
    prevalence: float
    average_precision: float | None
    lift: float | None
    """Average precision over prevalence."""
    predicted_share: float
    """Of the pixels, those given to the class by argmax, or at 0.5."""
    iou: float | None
    best_iou: float | None
    """At the best threshold."""
    best_threshold: float | None
    mean_probability: float | None
    deviation: float | None
    """Standard deviation over pixels of the class's log-odds: 0 is the same answer everywhere."""


class AnswersEvidence(Record, frozen=True, kw_only=True):
    """Answers beside the truth."""

    source: Literal["model", "probabilities", "classes"]
    images: int
    pixels: int
    classes: tuple[ClassAnswers, ...]
    accuracy: float
    macro_iou: float
    constant_accuracy: float
    constant_macro_iou: float
    training_average_precision: float | None = None
    """Of the rarest class, on training batches."""
    training_prevalence: float | None = None
    """Of the rarest class, on the same batches."""
    train_mode_average_precision: float | None = None
    """Of the rarest class on training batches, with batch statistics (training mode)."""
    eval_mode_share: float | None = None
    """Predicted share of the rarest class on training batches in evaluation mode."""
    train_mode_share: float | None = None
    mode_gap: float | None = None
    """Root mean square change of the rarest class's log-odds from training to evaluation mode, over their standard
    deviation over pixels in training mode: 0 without batch normalisation."""
    fed: str | None = None
    """How a saved model was fed, in words."""
    fed_skill: float | None = None
    """Mean skill of its answers then, (AP - prevalence) / (1 - prevalence), on a few images."""
    better_fed: str | None = None
    """How else it answers far better, by more than chance; None if no way does."""
    better_fed_skill: float | None = None
    seam_ratio: float | None = None
    """Error rate within 8 px of tile borders over that elsewhere."""
    tile: int | None = None
    """Tile size in pixels at which that was found."""
    distinct_ids: int | None = None
    """Distinct class ids in the maps."""
    highest_id: int | None = None
    """Largest value in 8-bit maps: below about 20 a viewer shows black."""


class Evidence(Record, frozen=True, kw_only=True):
    """All that was measured."""

    subject: str
    """What was looked at, in words."""
    classes: tuple[str, ...]
    rare: int
    """Index of the rarest class that is present; class 1 of a yes-or-no question."""
    prior_entropy: float | None = None
    """Nats: the cross-entropy of answering the class shares everywhere."""
    steps_trained: int | None = None
    """Optimizer steps that the user's training took, if told."""
    epochs_trained: float | None = None
    data: DataEvidence | None = None
    wiring: WiringEvidence | None = None
    learning: LearningEvidence | None = None
    answers: AnswersEvidence | None = None
    history: HistoryEvidence | None = None
    assumed: tuple[str, ...] = ()
    """How what was brought is read where it does not say so itself, a sentence each."""
    notes: tuple[str, ...] = ()
    """What could not be measured, and why."""
