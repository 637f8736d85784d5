"""Diagnoses that tables and pages are tested on: three causes, a healthy network, and one that cannot be told yet."""

import msgspec

from rareseg.records import evidence as facts
from rareseg.records.diagnosis import Diagnosis, Finding, Prescription, Sign

_DATA = facts.DataEvidence(
    source="batches",
    images=32,
    pixels=2_097_152,
    classes=("background", "<road> & co."),
    shares=(0.9695, 0.0305),
    label_form="indices",
    values=(facts.RawValue(value=0, share=0.9695), facts.RawValue(value=1, share=0.0305)),
    distinct_values=2,
    empty_batches=0.0625,
)
_WIRING = facts.WiringEvidence(
    framework="keras",
    loss_name="SparseCategoricalCrossentropy",
    optimizer_name="Adam",
    learning_rate=0.01,
    channels=2,
    classes=2,
    output_low=0.0,
    output_high=1.0,
    sums_to_one=1.0,
    activation="softmax",
    loss_now=0.1371,
    loss_at_right_logits=0.3133,
    loss_at_right_probabilities=0.0,
    loss_at_even=0.6931,
    loss_at_prior=0.1362,
    loss_at_wrong=0.4915,
    wants="probabilities",
    moved_by_shift=0.0,
    parameters=1_941_218,
    trainable_parameters=1_941_218,
    precision="fp32",
)
_LEARNING = facts.LearningEvidence(
    steps=50,
    losses=(0.71, 5.2, 2.31, 0.62, 0.2, 0.15, 0.141, *(0.137 + 0.002 * (step % 3) for step in range(43))),
    update_ratio=0.031,
    largest_update_ratio=0.42,
    layers=(
        facts.LayerUnits(layer="conv2d", units=64, dead=0.20, saturated=0.0),
        facts.LayerUnits(layer="conv2d_1", units=128, dead=0.64, saturated=0.0),
        facts.LayerUnits(
            layer="a_block_with_a_long_name/bottleneck/conv2d_2 <x>", units=256, dead=1.0, saturated=0.0
        ),
        facts.LayerUnits(layer="up/conv2d_3", units=64, dead=0.0, saturated=0.25),
    ),
    dead_before=0.71,
    dead_at_start=0.01,
    dead_after=0.83,
    fit_steps=120,
    fit_losses=tuple(0.137 for _ in range(120)),
    fit_average_precision=0.031,
    fit_prevalence=0.0305,
    fit_deviation=0.0004,
    fresh_losses=tuple(0.7 * 0.9**step + 0.1 for step in range(50)),
    fresh_dead=0.62,
    slower_rate=0.001,
    slower_dead=0.02,
    slower_average_precision=0.41,
)
_ANSWERS = facts.AnswersEvidence(
    source="model",
    images=32,
    pixels=2_097_152,
    classes=(
        facts.ClassAnswers(
            name="background",
            prevalence=0.9695,
            average_precision=0.97,
            lift=1.0,
            predicted_share=1.0,
            iou=0.9695,
            best_iou=0.9695,
            best_threshold=0.5,
            mean_probability=0.969,
            deviation=0.0004,
        ),
        facts.ClassAnswers(
            name="<road> & co.",
            prevalence=0.0305,
            average_precision=0.031,
            lift=1.016,
            predicted_share=0.0,
            iou=0.0,
            best_iou=0.0305,
            best_threshold=None,
            mean_probability=0.031,
            deviation=0.0004,
        ),
    ),
    accuracy=0.9695,
    macro_iou=0.4848,
    constant_accuracy=0.9695,
    constant_macro_iou=0.4848,
)
_EVIDENCE = facts.Evidence(
    subject="keras.Model <functional> on 32 images",
    classes=("background", "<road> & co."),
    rare=1,
    prior_entropy=0.1362,
    steps_trained=700,
    epochs_trained=10.0,
    data=_DATA,
    wiring=_WIRING,
    learning=_LEARNING,
    answers=_ANSWERS,
    history=facts.HistoryEvidence(losses=(0.4, 0.14, 0.137), rare_shares=(0.02, 0.0, 0.0)),
    notes=("Normalisation could not be compared: the network has no batch statistics.",),
)

_SLOWER = """model.compile(
    optimizer=keras.optimizers.Adam(0.001, clipnorm=1.0),
    loss="sparse_categorical_crossentropy",
)"""


def three_findings() -> Diagnosis:
    """Return a diagnosis of three causes with every part filled, and names that HTML and markup would trip over."""
    return Diagnosis(
        state="causes found",
        summary="The learning rate has killed 71 % of the units: the answer is the same everywhere [and 1 < 2].",
        findings=(
            Finding(
                cause="learning_rate_too_high",
                mode=3,
                title="The learning rate is too high: units are dead",
                confidence=0.94,
                because="71 % of the ReLU channels are 0 at every pixel, against 1 % with weights drawn anew.",
                signs=(
                    Sign(what="dead units", found="71 %", limit="below 30 %"),
                    Sign(what="spread of the rare log-odds [nats]", found="0.0004", limit="above 0.01"),
                    Sign(what="update over weight, first steps", found="3.1e-2", limit="near 1e-3"),
                ),
                prescription="Start again from new weights at a learning rate of 0.001.",
                code=(
                    Prescription(framework="keras", code=_SLOWER),
                    Prescription(
                        framework="rareseg", code="rareseg train DATA -o RUN --set optimizer.rate=0.001"
                    ),
                ),
                apart="At a tenth of the rate, fresh weights keep their units; under-trained ones are alive.",
            ),
            Finding(
                cause="class_weight_ignored",
                mode=12,
                title="Class weights reach the wrong pixels",
                confidence=0.55,
                because="Scaling the weight [w of <road> & co.] by 10 moved the loss of background.",
                signs=(Sign(what="share of the loss", found="x1.0", limit="x10"),),
                prescription="Give weights per pixel.",
                code=(Prescription(framework="keras", code="loss = weighted([0.52, 16.4])  # <road> & co."),),
            ),
            Finding(
                cause="empty_batches",
                mode=14,
                title="Some batches hold no road",
                confidence=0.2,
                because="6.25 % of the batches hold none of it.",
                signs=(),
                prescription="Draw crops that hold the class.",
            ),
        ),
        next_steps=("Train 200 steps at 0.001 and look again.", "Look at <validation> data."),
        seconds=41.3,
        evidence=_EVIDENCE,
    )


def healthy() -> Diagnosis:
    """Return a diagnosis that found nothing wrong."""
    return Diagnosis(
        state="healthy",
        summary="Nothing is wrong: road is ranked 21 times better than chance.",
        findings=(),
        next_steps=("Score it on whole held-out scenes: rareseg evaluate RUN DATA.",),
        seconds=12.0,
        evidence=msgspec.structs.replace(_EVIDENCE, wiring=None, history=None, notes=()),
    )


def cannot_tell() -> Diagnosis:
    """Return a diagnosis that could measure next to nothing."""
    return Diagnosis(
        state="cannot tell",
        summary="The labels hold 12 pixels of road: too few to judge its ranking.",
        findings=(),
        next_steps=("Bring more images.", "Or bring the training set-up."),
        seconds=0.4,
        evidence=facts.Evidence(
            subject="maps", classes=("background", "road"), rare=1, notes=("There is no model to probe.",)
        ),
    )
