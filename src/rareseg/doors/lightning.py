"""The collapse watch as a Lightning callback: `Trainer(callbacks=[CollapseWatch(...)])`.

Works with the package `lightning` or `pytorch_lightning`, whichever the training has loaded; neither is imported
before a callback is made.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import cache
from importlib import import_module
from typing import Any, Literal

from rareseg.errors import MissingPackageError, SettingError
from rareseg.probing.watch import CollapseWatch as Watch
from rareseg.probing.watch import Notice
from rareseg.probing.watch_window import Activation

__all__ = ["CollapseWatch"]

_PACKAGES = ("lightning.pytorch", "pytorch_lightning")
_LOGITS = ("logits", "outputs", "predictions", "preds")
_LABELS = ("labels", "targets", "target", "masks", "mask", "y")


class CollapseWatch:
    """Watches a training by Lightning, and warns, or stops it, when it has died.

    Two ways to see answers:

    - `training_step` returns a dict with the loss, "logits" and "labels" (or "targets"); costs nothing more.
    - `probe=(images, labels)`: every `probe_every` steps the network answers these images, in evaluation mode,
      without gradients, and goes on as it was. The batch should be one that training does not draw.

    A notice is shown as a warning on the process of rank 0, and kept in `callback.watch.notices`. Logged as
    "collapse_watch/lift" and "collapse_watch/rare_share" where the trainer has a logger.
    """

    watch: Watch

    def __new__(cls, *_arguments: Any, **_settings: Any) -> "CollapseWatch":
        """Make a callback of the Lightning package that the training uses.

        Raises:
            MissingPackageError: if neither `lightning` nor `pytorch_lightning` is installed.
        """
        made: CollapseWatch = object.__new__(_callback_class() if cls is CollapseWatch else cls)
        return made

    def __init__(
        self,
        classes: Sequence[str] | None = None,
        *,
        probe: tuple[Any, Any] | None = None,
        probe_every: int = 10,
        ignore_index: int = 255,
        every: int = 50,
        patience: int = 3,
        activation: Activation = "auto",
        channel_axis: int | Literal["auto"] = "auto",
        stop: bool = False,
    ) -> None:
        """Set up a watch; settings as of `rareseg.watch`.

        Args:
            classes: names in the order of the channels.
            probe: images as the network takes them, and labels.
            probe_every: steps between two answers to the probe; a window then holds `every` / `probe_every` of them.
            ignore_index: label that does not count.
            every: steps in a window.
            patience: windows that a constant output must last to be told.
            activation: what the network's answers have been through.
            channel_axis: axis of the channels.
            stop: stop the training at a notice that it is lost.

        Raises:
            SettingError: if a setting is out of its range.
        """
        if probe_every < 1 or (probe is not None and every < probe_every):
            message = f"Expected 1 <= probe_every <= every, got probe_every={probe_every} and every={every}."
            raise SettingError(message)
        self._probe, self._probe_every = probe, probe_every
        self._window = every if probe is None else every // probe_every
        self._seen, self._stopping = 0, False
        self.watch = Watch(
            classes,
            ignore_index=ignore_index,
            every=self._window,
            patience=patience,
            activation=activation,
            channel_axis=channel_axis,
            stop=stop,
        )

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at one step.

        Raises:
            SettingError: if there is no probe and the training step returns no logits and labels.
        """
        step, self._seen = self._seen, self._seen + 1
        if self._probe is None:
            notice = self.watch.update(*_answers(outputs, batch), loss=_loss(outputs))
        elif step % self._probe_every == 0:
            notice = self.watch.update(self._probed(trainer, pl_module), self._probe[1], loss=_loss(outputs))
        else:
            return
        if notice is not None:
            _warn(notice)
            self._stopping = self._stopping or notice.stop
        closed = self.watch.verdict().step % self._window == 0
        if closed:
            self._log(pl_module)
        if trainer.world_size == 1:
            trainer.should_stop = trainer.should_stop or self._stopping
        elif closed:
            # Processes see batches of their own, but close their windows at the same step, where they may agree.
            agreed = trainer.strategy.reduce_boolean_decision(self._stopping, all=False)
            trainer.should_stop = trainer.should_stop or agreed

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to other processes: the class that is made for a package has no name to be found by."""
        return CollapseWatch.__new__, (CollapseWatch,), self.__dict__

    def _probed(self, trainer: Any, module: Any) -> Any:
        """Return the answers to the probe; mode, statistics and random state are as before."""
        images = module.transfer_batch_to_device(self._probe[0], module.device, 0) if self._probe else None
        modes = {name: part.training for name, part in module.named_modules()}
        plugin = getattr(trainer, "precision_plugin", None)
        module.eval()
        try:
            with _no_gradients(), plugin.forward_context() if plugin is not None else nullcontext():
                answers = module(images)
        finally:
            # Some parts of a training module may stay in evaluation mode on purpose: frozen batch statistics.
            for name, part in module.named_modules():
                part.training = modes[name]
        return answers["logits"] if isinstance(answers, Mapping) and "logits" in answers else answers

    def _log(self, module: Any) -> None:
        for key in ("lift", "rare_share"):
            course = self.watch.history[key]
            if course and course[-1] is not None:
                module.log(f"collapse_watch/{key}", course[-1], rank_zero_only=True)


@cache
def _callback_class() -> type[CollapseWatch]:
    """Return CollapseWatch as a callback of the package at hand."""
    base = _lightning().Callback
    return type(CollapseWatch.__name__, (CollapseWatch, base), {"__doc__": CollapseWatch.__doc__})


def _lightning() -> Any:
    # A training has loaded its own one of the two, and takes callbacks of that one alone.
    loaded = [name for name in _PACKAGES if name in sys.modules]
    for name in (*loaded, *_PACKAGES):
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            if (error.name or "") not in (name, name.split(".", maxsplit=1)[0]):
                raise
    message = (
        "The Lightning callback needs the package lightning or pytorch_lightning, and neither is installed. Install "
        "it: pip install lightning. Any other loop can use rareseg.watch."
    )
    raise MissingPackageError(message)


def _no_gradients() -> Any:
    # Whoever runs Lightning has torch loaded; this ring does not import it.
    return sys.modules["torch"].no_grad()


def _answers(outputs: Any, batch: Any) -> tuple[Any, Any]:
    """Return logits and labels as the training step gave them; labels may also stand in the batch."""
    found = outputs if isinstance(outputs, Mapping) else {}
    logits = next((found[key] for key in _LOGITS if key in found), None)
    labels = next((found[key] for key in _LABELS if key in found), None)
    if labels is None:
        labels = _labels_of(batch)
    if logits is None or labels is None:
        came = f"a dict with {', '.join(map(repr, found))}" if found else type(outputs).__name__
        message = (
            f'Expected training_step to return {{"loss": loss, "logits": logits, "labels": labels}}, got {came}. '
            "Return these, or give the callback probe=(images, labels)."
        )
        raise SettingError(message)
    return logits, labels


def _labels_of(batch: Any) -> Any:
    if isinstance(batch, Mapping):
        return next((batch[key] for key in _LABELS if key in batch), None)
    return batch[1] if isinstance(batch, (list, tuple)) and len(batch) > 1 else None


def _loss(outputs: Any) -> Any:
    return outputs.get("loss") if isinstance(outputs, Mapping) else outputs


def _warn(notice: Notice) -> None:
    for name in _PACKAGES:
        if name in sys.modules:
            import_module(f"{name}.utilities.rank_zero").rank_zero_warn(f"rareseg: {notice}")
            return
