"""The user's own curves, sorted by what their names say."""

from collections.abc import Mapping, Sequence
from typing import Any

from rareseg.records.evidence import HistoryEvidence


def history_evidence(history: Mapping[str, Sequence[Any]]) -> HistoryEvidence:
    """Sort curves, one value per epoch or look, into what the rules read.

    Args:
        history: Name -> values, as Keras's History has it: loss, val_loss, accuracy, val_iou, rare_share, ...
    """
    named = {str(name).lower(): [_number(value) for value in values] for name, values in history.items()}

    def first(*wanted: str, without: tuple[str, ...] = ()) -> tuple[float | None, ...]:
        for name, values in named.items():
            if any(word in name for word in wanted) and not any(word in name for word in without):
                return tuple(values)
        return ()

    scores = ("iou", "dice", "f1", "recall", "average_precision", "lift", "jaccard")
    return HistoryEvidence(
        losses=tuple(named.get("loss", ())) or first("loss", without=("val", "valid", "test")),
        validation_losses=first("val_loss", "valid_loss", "validation_loss"),
        scores=first(*(f"val_{one}" for one in scores)) or first(*scores, without=("loss",)),
        rare_shares=first("rare_share", "predicted_share"),
        accuracies=first("val_acc", "val_binary_acc", "val_categorical_acc") or first("acc"),
    )


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
