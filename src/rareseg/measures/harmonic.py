"""The harmonic mean of precision and recall: F1."""


def harmonic(precision: float, recall: float) -> float:
    """Return the harmonic mean of two shares, 0..1; 0 if both are 0."""
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0
