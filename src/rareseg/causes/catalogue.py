"""Every cause that can be named, with its rule and what to do about it."""

from rareseg.causes import labels, learning, numerics, outcomes, prescriptions, too_fast, wiring
from rareseg.causes.cause import Cause, Suspicion, sign
from rareseg.records.evidence import Evidence


def _upsampling(evidence: Evidence) -> Suspicion | None:
    found = evidence.wiring.upsampling if evidence.wiring else ()
    if not found:
        return None
    return Suspicion(0.4, " ".join(found), (sign("transposed convolutions to look at", len(found), "0"),))


CAUSES: tuple[Cause, ...] = (
    Cause("label_values_out_of_range", 8, "labels", "Labels that no class has", labels.out_of_range,
          "Map raw values to class indices 0..K-1 before training.", prescriptions.VALUES),
    Cause("interpolated_masks", 9, "labels", "Masks resized with interpolation, or saved as JPEG", labels.interpolated,
          "Resize masks with nearest neighbour, save them as PNG, and turn values in between back into classes.",
          prescriptions.NEAREST),
    Cause("colours_read_as_grey", 10, "labels", "Coloured masks read as grey values", labels.coloured,
          "Decode masks by their palette, colour by colour; `rareseg audit` prints the TOML for it.",
          (prescriptions.rareseg("rareseg audit DATA"),)),
    Cause("wrong_pairs", 11, "labels", "Images and masks do not belong together", labels.wrong_pairs,
          "Pair files by name, not by order in two listings, and look at ten pairs.",
          (prescriptions.torch("pairs = [(image, masks / f'{image.stem}.png') for image in images]"),)),
    Cause("shifted_labels", 11, "labels", "Labels are shifted against the images", labels.shifted,
          "Register masks and images: check georeference, resampling and padding of both."),
    Cause("ignored_labels", 15, "labels", "The ignored value eats the class", labels.ignored,
          "Choose an ignore_index that no class uses, and map 255 to the class before the loss sees it.",
          prescriptions.VALUES),
    Cause("absent_class", 16, "labels", "A class has no pixels", labels.absent,
          "Leave the class out, or split so that every part holds it; until then its score is not measurable."),
    Cause("softmax_on_one_channel", 27, "wiring", "Softmax over one channel", wiring.softmax_on_one_channel,
          "One channel takes a sigmoid.", prescriptions.ONE_CHANNEL),
    Cause("activation_twice", 6, "wiring", "The activation is applied twice", wiring.activation_twice,
          "Give the loss logits: leave the last activation out, or take the loss of probabilities.",
          prescriptions.LOGITS),
    Cause("logits_to_probability_loss", 7, "wiring", "Logits given to a loss of probabilities",
          wiring.logits_to_probabilities, "Use the loss that takes logits, or add the activation.",
          prescriptions.FROM_LOGITS),
    Cause("sigmoid_on_exclusive_classes", 5, "wiring", "Sigmoids and binary cross-entropy on exclusive classes",
          wiring.sigmoids_on_exclusive,
          "Softmax with categorical cross-entropy, weighted by 1/ln(1.02 + share), with Dice beside it.",
          prescriptions.SOFTMAX),
    Cause("weights_misapplied", 12, "wiring", "Class weights reach the wrong pixels", wiring.weights_misapplied,
          "Weigh pixels inside the loss, class by class in the order of the labels.", prescriptions.PIXEL_WEIGHTS),
    Cause("weights_ignored", 12, "wiring", "Class weights have no effect", wiring.weights_ignored,
          "Give the weights to the loss itself.", prescriptions.PIXEL_WEIGHTS),
    Cause("weights_unbounded", 12, "wiring", "Class weights hundreds of times apart", wiring.weights_unbounded,
          "Cap the ratio at 10 to 50, or take the square root of the inverse shares.", prescriptions.PIXEL_WEIGHTS),
    Cause("half_precision_overflow", 19, "wiring", "Numbers too large for fp16", numerics.half_precision,
          "Compute the loss in float32, or train in bfloat16.", prescriptions.FULL_PRECISION),
    Cause("learning_rate_too_high", 3, "learning", "Learning rate too high: dead or constant units",
          too_fast.rate_too_high,
          "Start again from fresh weights at a tenth of the rate, with a warm-up and clipped gradients.",
          prescriptions.SLOWER),
    Cause("saturated_units", 30, "learning", "Units at an end of their range", learning.saturated,
          "Standardise the inputs, and use ReLU instead of sigmoid inside the network.", prescriptions.STANDARDISE),
    Cause("learning_rate_too_low", 4, "learning", "Learning rate too low: weights hardly move", learning.rate_too_low,
          "Raise the learning rate until a step changes weights by about a thousandth.", prescriptions.FASTER),
    Cause("frozen", 4, "learning", "Most of the network is frozen", learning.frozen,
          "Unfreeze, or load pretrained weights for the frozen part and feed it as they were trained.",
          prescriptions.UNFREEZE),
    Cause("dice_stuck", 13, "learning", "An overlap loss stuck at the constant answer", learning.dice_stuck,
          "Add cross-entropy, start at the class shares, and leave the background out of Dice.",
          prescriptions.WITH_CROSS_ENTROPY),
    Cause("empty_batches", 14, "learning", "Most batches hold nothing of the rare class", labels.empty_batches,
          "Draw crops around the rare class for a third of every batch.", prescriptions.DRAW_RARE),
    Cause("batch_norm_gap", 18, "learning", "Batch normalisation: good in training mode, bad in evaluation mode",
          numerics.batch_norm_gap, "Larger batches, group normalisation, or statistics measured anew.",
          prescriptions.NORMALISE),
    Cause("under_trained", 2, "learning", "Not trained for long enough", learning.under_trained,
          "Train ten times as long, and start at the class shares.", prescriptions.LONGER),
    Cause("late_collapse", 20, "outcome", "It forgot the rare class late in training", outcomes.late_collapse,
          "Keep the checkpoint that is best on whole validation images, and lower the rate towards the end.",
          prescriptions.KEEP_BEST),
    Cause("threshold_off", 1, "outcome", "It ranks well; only the threshold is wrong", outcomes.threshold_off,
          "Choose the threshold on validation data. No new training is needed.", prescriptions.THRESHOLD),
    Cause("preprocessing_differs", 26, "outcome", "Prediction feeds other numbers than training",
          labels.fed_differently, "Store scaling and band order with the model, and apply the same when mapping.",
          (prescriptions.torch("images = (images - mean) / std  # of the training images"),)),
    Cause("seams", 25, "outcome", "Errors at tile borders", outcomes.seams,
          "Overlap the tiles by half and blend them with a window.",
          (prescriptions.rareseg("rareseg predict RUN scene.tif -o MAPS"),)),
    Cause("display_only", 24, "outcome", "The map is right, the viewer shows black", outcomes.display_only,
          "Save a palette, or multiply the ids for viewing.",
          (prescriptions.torch("Image.fromarray((classes * (255 // top)).astype('uint8'))"),)),
    Cause("leakage", 22, "labels", "Validation holds what training has seen", labels.leakage,
          "Split by scene, in blocks with a gap, before cutting tiles."),
    Cause("label_noise", 23, "labels", "Labels that look wrong", labels.noisy,
          "Look at the images listed, worst first."),
    Cause("overfitted", 29, "outcome", "It knows its training images by heart", outcomes.overfitted,
          "More images, augmentation, a smaller network, or the weights of an earlier step."),
    Cause("metric_illusion", 21, "outcome", "Accuracy that the constant answer has too", outcomes.metric_illusion,
          "Read IoU and average precision of the rare class beside those of the constant answer."),
    Cause("coarse_upsampling", 28, "remark", "Upsampling that is hard to learn", _upsampling,
          "Start transposed convolutions at bilinear weights, or resize and convolve."),
)  # fmt: skip
"""In the order in which they are looked at: the earlier ones explain the later ones away."""


def find(name: str) -> Cause:
    """Return the cause of that name.

    Raises:
        KeyError: if there is none.
    """
    return next(cause for cause in CAUSES if cause.name == name)
