"""The collapse watch for anybody's training loop: give it logits and labels, and it says when the training has died.

watch = rareseg.watch(["background", "road"])
for images, labels in batches:
    logits = model(images)
    notice = watch.update(logits, labels)
    if notice:
        print(notice)
"""

import math
from collections.abc import Sequence
from html import escape
from typing import Any, Literal, final, get_args

from rareseg.errors import SettingError
from rareseg.probing.watch_arrays import Layout, layout_of, open_array
from rareseg.probing.watch_judgement import Judgement, Notice, State, judge
from rareseg.probing.watch_sample import Sample, Sampler
from rareseg.probing.watch_window import Activation, Readings, Window, looks_like, measure
from rareseg.records.dataset import VOID

__all__ = ["CollapseWatch", "Notice"]

_SEED = 20_150
_ROWS = 12
"""Windows that are shown."""
_REMEMBERED = 500
"""Windows that a judgement looks back on, so that it costs the same after a million updates."""
_MOST_CLASSES = VOID - 1
_ORDER: dict[str, int] = {"softmax": 0, "sigmoid": 1, "none": 2}
"""Answers that once lay outside of 0..1 are no probabilities, and so on."""


@final
class CollapseWatch:
    """Looks at some pixels of every update, and judges each window of updates.

    It looks at the batches that training draws, in training mode: a network that only remembers its training data
    looks healthy here. Dead units cannot be seen from logits; what they lead to, the same answer everywhere, can.
    Costs less than a millisecond per update of 8x2x256x256 on a CPU core, touches no global random state, and keeps
    no tensor.
    """

    def __init__(
        self,
        classes: Sequence[str] | None = None,
        *,
        ignore_index: int = 255,
        every: int = 50,
        patience: int = 3,
        activation: Activation = "auto",
        channel_axis: int | Literal["auto"] = "auto",
        stop: bool = False,
    ) -> None:
        """Set up a watch.

        Args:
            classes: names in the order of the channels; for one channel, its class alone or behind the rest.
            ignore_index: label that does not count.
            every: updates in a window. Each window is judged once.
            patience: windows that a constant output must last until it is told: 150 updates as it stands. A training
                that shows no sign of learning gets twice as long, a single class that is left out four times.
            activation: what the given values have been through: "none" for logits, "sigmoid" or "softmax" for
                probabilities; "auto" tells by their range and sums.
            channel_axis: 1 for logits (N, K, H, W), 3 or -1 for (N, H, W, K); "auto" tells by the shapes.
            stop: whether notices of a lost training ask to stop (`notice.stop`).

        Raises:
            SettingError: if a setting is out of its range.
        """
        _check(every, patience, activation)
        self._names = None if classes is None else tuple(classes)
        self._ignore, self._every, self._patience = ignore_index, every, patience
        self._asked, self._axis, self._stop = activation, channel_axis, stop
        self._layout: Layout | None = None
        self._sampler: Sampler | None = None
        self._shapes: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()
        self._read: Literal["none", "sigmoid", "softmax"] = "softmax"
        self._several = self._unclaimed = False
        self._samples: list[Sample] = []
        self._losses: list[float] = []
        self._windows: list[Window] = []
        self._notices: list[Notice] = []
        self._told: set[State] = set()
        self._step = self._broken = 0
        self._now = judge((), patience)

    def update(self, logits: Any, labels: Any, loss: Any = None) -> Notice | None:
        """Look at one update.

        Args:
            logits: (N, K, H, W), (N, H, W, K), or of one class (N, 1, H, W), (N, H, W, 1) or (N, H, W); tensor of any
                framework or device, float; the network's answers to the training batch. Gradients do not matter.
            labels: (N, H, W) class indices, with an axis of length 1 if you like, or one-hot in the logits' shape;
                0 and 1 (or in between) for one class.
            loss: the training's own loss, a number; only noted for `history`.

        Returns:
            What there is to tell, or None. Each kind of news is told once, and again after the training was well.

        Raises:
            SettingError: if these are no arrays, or their shapes do not fit together.
        """
        answers, truth = open_array(logits, "logits"), open_array(labels, "labels")
        sampler = self._prepare(tuple(answers.shape), tuple(truth.shape))
        if 0 in answers.shape:
            return None
        self._step += 1
        sample = sampler.draw(answers, truth)
        self._learn(sample)
        self._samples.append(sample)
        if loss is not None:
            self._losses.append(float(loss.detach() if hasattr(loss, "detach") else loss))
        at_once = self._at_once(sample)
        notice = None if at_once is None else self._tell(at_once)
        if len(self._samples) < self._every:
            return notice
        judgement = self._close(sampler)
        # What is not told now for there being other news is told with the next window.
        return notice if notice or self._broken else self._tell(judgement)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Return all that was told so far, oldest first."""
        return tuple(self._notices)

    @property
    def history(self) -> dict[str, list[float | None]]:
        """Return one entry per window: step, loss, and of the class that is now worst off, its numbers.

        Keys: step, loss (the given one's mean, else cross-entropy in nats per pixel), rare_share (of pixels given to
        the class, 0..1), lift (average precision over prevalence), average_precision, prevalence, deviation. None
        where too few pixels of the class were seen. `rareseg.diagnose(history=...)` reads it.
        """
        name = self._worst_name()
        found: dict[str, list[float | None]] = {"step": [], "loss": []}
        numbers = ("rare_share", "lift", "average_precision", "prevalence", "deviation")
        found |= {number: [] for number in numbers}
        for window in self._windows:
            one = next((held for held in window.classes if held.name == name), None)
            found["step"].append(window.step)
            found["loss"].append(window.loss)
            for number in numbers:
                field = "predicted_share" if number == "rare_share" else number
                found[number].append(None if one is None else getattr(one, field))
        return found

    def verdict(self) -> Notice:
        """Return how the training stands by the last window, told before or not."""
        return Notice(self._step, self._now.state, self._now.reason, self._stop and self._fatal(self._now))

    def __str__(self) -> str:
        """Return the verdict and everything that was told."""
        told = "\n".join(f"  {notice}" for notice in self._notices)
        return f"{self.verdict()}\nTold so far:\n{told}" if told else str(self.verdict())

    def __repr__(self) -> str:
        return f"<CollapseWatch: {self._now.state} after {self._step} updates, {len(self._notices)} notices>"

    def _repr_html_(self) -> str:
        """Return verdict, notices and the last windows as an HTML fragment."""
        course = self.history
        rows = "".join(
            "<tr>" + "".join(f"<td>{_spell(course[key][index])}</td>" for key in course) + "</tr>"
            for index in range(len(self._windows))[-_ROWS:]
        )
        heads = "".join(f"<th>{escape(key.replace('_', ' '))}</th>" for key in course)
        told = "".join(f"<li>{escape(str(notice))}</li>" for notice in self._notices)
        name = self._worst_name()
        return (
            f"<div><p><strong>{escape(self._now.state)}</strong>. {escape(str(self.verdict()))}</p><ul>{told}</ul>"
            f"<table><caption>{escape(name or 'no class')}, by window</caption>"
            f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        )

    def _worst_name(self) -> str | None:
        worst = [window.worst.name for window in self._windows if window.worst is not None]
        return worst[-1] if worst else None

    def _prepare(self, logits: tuple[int, ...], labels: tuple[int, ...]) -> Sampler:
        """Return the sampler for these shapes, which are looked at once."""
        if self._sampler is None or (logits, labels) not in self._shapes:
            count = None if self._names is None else len(self._names)
            layout = layout_of(logits, labels, axis=self._axis, classes=count)
            if self._layout not in (None, layout):
                message = (
                    f"Expected arrays that lie as before ({self._layout}), got logits {logits} and labels {labels}. "
                    "Use one watch per network and form of labels."
                )
                raise SettingError(message)
            if self._sampler is None:
                self._name(layout)
                self._layout = layout
                self._sampler = Sampler(layout, ignore_index=self._ignore, seed=_SEED)
            self._shapes.add((logits, labels))
        return self._sampler

    def _name(self, layout: Layout) -> None:
        """Settle the names of the channels."""
        count = layout.channels
        names = self._names
        if names is None:
            names = tuple(f"class {index}" for index in range(count)) if count > 1 else ("class 1",)
        if count == 1 and len(names) == 2:
            names = names[1:]
        if len(names) != count or count > _MOST_CLASSES:
            message = (
                f"Expected logits with a channel per class ({len(names)}: {', '.join(names[:9])}; at most "
                f"{_MOST_CLASSES}), got {count} channels. Give the names in the order of the channels."
            )
            raise SettingError(message)
        self._names = names

    def _learn(self, sample: Sample) -> None:
        """Note what this update says about how answers and labels are written."""
        found = looks_like(sample.logits) if sample.logits.size else self._read
        self._read = max(self._read, found, key=_ORDER.__getitem__)
        claims = sample.members.sum(axis=0)
        self._several |= bool((claims > 1).any())
        self._unclaimed |= bool((claims == 0).any())

    def _readings(self, majority: int) -> Readings:
        read = self._read if self._asked == "auto" else self._asked
        hot = self._layout is not None and self._layout.hot
        overlapping = hot and read != "softmax" and (self._several or self._unclaimed)
        return Readings(read, overlapping, majority, self._names or ())

    def _at_once(self, sample: Sample) -> Judgement | None:
        """Find what needs no window to be told."""
        self._broken = self._broken + 1 if sample.not_finite else 0
        if sample.not_finite:
            told = (
                f"NaN or infinity in the logits of {sample.not_finite} of {sample.not_finite + sample.weights.size} "
                "looked-at pixels: stop, go back to the last finite weights, compute the loss in float32 and lower "
                "the learning rate or clip gradients"
            )
            return Judgement("not finite", told, alarm=True, fatal=True)
        if not sample.strange:
            return None
        values = ", ".join(f"{value:g}" for value in sample.strange)
        count = max(self._layout.channels, 2) if self._layout else 2
        told = (
            f"Labels out of range: {values}, where 0 to {count - 1} and the ignored {self._ignore} are known; map mask "
            "values to class indices (0 and 255 to 0 and 1), or pass ignore_index"
        )
        return Judgement("labels out of range", told, alarm=True, fatal=True)

    def _close(self, sampler: Sampler) -> Judgement:
        """Judge the updates since the last window."""
        samples, self._samples = self._samples, []
        losses, self._losses = [loss for loss in self._losses if math.isfinite(loss)], []
        if any(sample.weights.size for sample in samples):
            readings = self._readings(sampler.majority)
            self._windows.append(measure(samples, readings, step=self._step, losses=losses))
        if self._broken:
            return self._now
        self._now = judge(self._windows[-_REMEMBERED:], self._patience)
        return self._now

    def _tell(self, judgement: Judgement) -> Notice | None:
        """Note an alarm that was not told before."""
        if judgement.state == "not finite":
            self._now = judgement
        if judgement.state == "healthy":
            self._told &= {"labels out of range"}
        if not judgement.alarm or judgement.state in self._told:
            return None
        self._told.add(judgement.state)
        notice = Notice(self._step, judgement.state, judgement.reason, self._stop and self._fatal(judgement))
        self._notices.append(notice)
        return notice

    @staticmethod
    def _fatal(judgement: Judgement) -> bool:
        return judgement.alarm and judgement.fatal


def _check(every: int, patience: int, activation: str) -> None:
    if every < 1 or patience < 1:
        message = f"Expected every and patience of at least 1, got every={every} and patience={patience}."
        raise SettingError(message)
    if activation not in get_args(Activation):
        message = f"Expected activation to be one of {', '.join(get_args(Activation))}, got {activation!r}."
        raise SettingError(message)


def _spell(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
