"""Evidence of courses of training: those of copies that probes train, and the one that the user noted.

As in `rareseg.records.evidence`, every number may be missing.
"""

from rareseg.records.codec import Record


class LayerUnits(Record, frozen=True, kw_only=True):
    """Units of one layer on the probe batches."""

    layer: str
    units: int
    dead: float
    """Share that is 0 at every pixel."""
    saturated: float
    """Share of sigmoid and tanh units within 1 % of an end of their range at 99 % of the pixels."""


class LearningEvidence(Record, frozen=True, kw_only=True):
    """What a copy of the network does when it is trained on: some steps, then one batch again and again."""

    steps: int
    losses: tuple[float, ...]
    """Of each step, before its update, as long as they are finite."""
    fall: float | None = None
    """Of the loss on fixed training batches, in evaluation mode, over these steps; relative to its start."""
    precision_before: float | None = None
    """Average precision of the rarest class on the same batches, before the steps."""
    precision_after: float | None = None
    raised: str | None = None
    """What a training step raised on some batches, which were left out."""
    not_finite: str | None = None
    """Where a NaN or an infinity appeared first: "outputs", "loss", "weights"."""
    update_ratio: float | None = None
    """Median over the first steps and layers of |change of weights| over |weights|."""
    largest_update_ratio: float | None = None
    """Of any layer in the first steps."""
    layers: tuple[LayerUnits, ...] = ()
    """Before the first step: as the network was brought."""
    dead_before: float | None = None
    """Share of ReLU channels that are 0 at every looked-at pixel, as brought."""
    dead_at_start: float | None = None
    """The same with weights drawn anew; None where these cannot be drawn."""
    dead_after: float | None = None
    """After the steps."""
    saturated_before: float | None = None
    fit_steps: int = 0
    """Steps on one batch, with the user's own loss and optimizer."""
    fit_losses: tuple[float, ...] = ()
    fit_average_precision: float | None = None
    """Of the rarest class on that batch, at the end."""
    fit_prevalence: float | None = None
    fit_deviation: float | None = None
    """Standard deviation of the rare log-odds over the batch, at the end."""
    fresh_losses: tuple[float, ...] = ()
    """Of the same steps, from weights drawn anew, at the learning rate that was brought."""
    fresh_fall: float | None = None
    fresh_dead: float | None = None
    """Dead share after these."""
    fresh_average_precision: float | None = None
    fresh_deviation: float | None = None
    slower_rate: float | None = None
    """A smaller learning rate, at which fresh weights keep their units and learn."""
    slower_dead: float | None = None
    slower_average_precision: float | None = None
    faster_rate: float | None = None
    """A larger learning rate, at which the loss falls much faster."""
    faster_gain: float | None = None
    """Fall of the loss at that rate over the fall at the given one."""


class HistoryEvidence(Record, frozen=True, kw_only=True):
    """A course of training as the user noted it; one entry per epoch or look, None where not noted."""

    losses: tuple[float | None, ...] = ()
    validation_losses: tuple[float | None, ...] = ()
    scores: tuple[float | None, ...] = ()
    """A score of the rare class on whole images or validation data: higher is better."""
    rare_shares: tuple[float | None, ...] = ()
    """Share of pixels given to the rare class."""
    accuracies: tuple[float | None, ...] = ()
