"""Evidence of a healthy training, to be made sick one number at a time."""

from typing import Any

from msgspec.structs import replace

from rareseg.records.evidence import (
    AnswersEvidence,
    ClassAnswers,
    DataEvidence,
    Evidence,
    HistoryEvidence,
    LayerUnits,
    LearningEvidence,
    RawValue,
    WiringEvidence,
)

CLASSES = ("background", "road")


def answers_of(name: str, prevalence: float, precision: float, **given: Any) -> ClassAnswers:
    found = {
        "name": name,
        "prevalence": prevalence,
        "average_precision": precision,
        "lift": precision / prevalence,
        "predicted_share": prevalence,
        "iou": 0.6,
        "best_iou": 0.62,
        "best_threshold": 0.45,
        "mean_probability": prevalence,
        "deviation": 3.0,
    }
    return ClassAnswers(**found | given)


def answers(**road: Any) -> AnswersEvidence:
    precision = road.pop("precision", 0.8)
    both = (
        answers_of("background", 0.96, 0.99, predicted_share=0.96, iou=0.97, best_iou=0.97),
        answers_of("road", 0.04, precision, **road),
    )
    return AnswersEvidence(
        source="model",
        images=16,
        pixels=65536,
        classes=both,
        accuracy=0.98,
        macro_iou=0.78,
        constant_accuracy=0.96,
        constant_macro_iou=0.48,
        training_average_precision=0.85,
        train_mode_average_precision=0.85,
        eval_mode_share=0.04,
        train_mode_share=0.04,
    )


BLACK = {"precision": 0.045, "predicted_share": 0.0, "iou": 0.0, "best_iou": 0.05, "deviation": 0.2}
"""A network that answers background, and ranks nothing."""
SAME = BLACK | {"precision": 0.04, "deviation": 0.0}
"""A network that answers the same everywhere."""


def falling(start: float = 0.2, end: float = 0.05, steps: int = 30) -> tuple[float, ...]:
    return tuple(start + (end - start) * step / (steps - 1) for step in range(steps))


def learning(**given: Any) -> LearningEvidence:
    found = {
        "steps": 30,
        "losses": falling(0.06, 0.058),
        "fall": 0.02,
        "precision_before": 0.8,
        "precision_after": 0.81,
        "update_ratio": 1e-3,
        "largest_update_ratio": 5e-3,
        "layers": (LayerUnits(layer="encoder.0", units=32, dead=0.05, saturated=0.0),),
        "dead_before": 0.05,
        "dead_at_start": 0.02,
        "dead_after": 0.05,
        "saturated_before": 0.0,
        "fit_steps": 100,
        "fit_losses": falling(),
        "fit_average_precision": 0.98,
        "fit_prevalence": 0.05,
        "fit_deviation": 4.0,
        "fresh_losses": falling(0.7, 0.2, 60),
        "fresh_dead": 0.05,
        "fresh_average_precision": 0.5,
        "fresh_deviation": 1.0,
    }
    return LearningEvidence(**found | given)


def wiring(**given: Any) -> WiringEvidence:
    found = {
        "framework": "torch",
        "loss_name": "CrossEntropyLoss",
        "optimizer_name": "Adam",
        "learning_rate": 1e-3,
        "channels": 2,
        "classes": 2,
        "output_low": -5.0,
        "output_high": 6.0,
        "sums_to_one": 0.0,
        "activation": "none",
        "loss_now": 0.06,
        "loss_at_right_logits": 0.0,
        "loss_at_right_probabilities": 0.313,
        "loss_at_even": 0.693,
        "loss_at_prior": 0.17,
        "loss_at_wrong": 0.96,
        "wants": "logits",
        "moved_by_shift": 0.0,
        "effective_weights": (1.0, 1.0),
        "dice_like": 0.0,
        "empty_slope": 1.0,
        "rare_slope": 0.3,
        "parameters": 100_000,
        "trainable_parameters": 100_000,
        "smallest_batch": 8,
        "normalised": False,
        "precision": "fp32",
    }
    return WiringEvidence(**found | given)


def data(**given: Any) -> DataEvidence:
    found = {
        "source": "batches",
        "images": 48,
        "pixels": 196_608,
        "classes": CLASSES,
        "shares": (0.96, 0.04),
        "label_form": "indices",
        "values": (RawValue(value=0.0, share=0.96), RawValue(value=1.0, share=0.04)),
        "distinct_values": 2,
        "out_of_range": 0.0,
        "ignored": 0.0,
        "ignored_of_rare": 0.0,
        "between": 0.0,
        "empty_batches": 0.0,
        "pair_information": 0.05,
        "shuffled_information": 0.001,
        "shuffled_deviation": 0.001,
        "shift": (0, 0),
        "shift_gain": 1.0,
        "shift_agreement": 0.9,
        "shared_images": 0.0,
        "touching_images": 0.0,
        "nodata_labelled": 0.0,
        "band_gap": 0.05,
        "prediction_scale": 1.0,
    }
    return DataEvidence(**found | given)


def healthy(**sections: Any) -> Evidence:
    found = {
        "subject": "a torch model",
        "classes": CLASSES,
        "rare": 1,
        "prior_entropy": 0.168,
        "data": data(),
        "wiring": wiring(),
        "learning": learning(),
        "answers": answers(),
        "history": None,
    }
    return Evidence(**found | sections)


def blind(**sections: Any) -> Evidence:
    """A network that answers background everywhere, and would learn nothing more."""
    flat = learning(losses=(0.17,) * 30, fall=0.0, fit_average_precision=0.05, fresh_average_precision=0.05)
    found = healthy(answers=answers(**BLACK), learning=flat)
    return replace(found, **sections)


def history(**curves: Any) -> HistoryEvidence:
    return HistoryEvidence(**{name: tuple(values) for name, values in curves.items()})
