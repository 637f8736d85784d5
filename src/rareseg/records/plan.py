"""The Plan: every decision that training, scoring and mapping read, each with its reason.

Nothing that shapes a run stands outside of it. A setting that the chosen name does not use is None,
and giving it one is an error, so nothing is accepted and then ignored.
"""

from typing import Annotated, Literal

from msgspec import Meta

from rareseg.records.codec import Record

Share = Annotated[float, Meta(ge=0, le=1)]
NotNegative = Annotated[float, Meta(ge=0, le=1e12)]
Positive = Annotated[float, Meta(gt=0, le=1e12)]
WeightRule = Literal[
    "none", "sqrt_inverse", "inverse", "median_frequency", "enet", "effective_number", "given"
]
SamplingRule = Literal["uniform", "class_centred", "rare_class", "above_mean", "copy_paste"]
Setting = bool | int | float | str | tuple[int | float, ...] | None
"""Value of one setting of a loss, as the catalogue of remedies describes it."""
Count = Annotated[int, Meta(ge=1)]
Width = Annotated[int, Meta(ge=1, le=4096)]
Few = Annotated[int, Meta(ge=1, le=16)]
Deviation = Annotated[float, Meta(ge=0, le=10)]
Seed = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Choice(Record, frozen=True, kw_only=True):
    """One decision. Abstract: `because` holds the audit's own numbers, `reference` the source."""

    because: str
    reference: str
    set_by: Literal["rule", "user"] = "rule"


class ModelChoice(Choice, frozen=True, kw_only=True):
    """The network. Names: "compact_unet", "fcn32_vgg16", or an SMP architecture such as "smp:unet"."""

    name: str
    width: Width | None = None
    """compact_unet: channels of the first level."""
    levels: Few | None = None
    """compact_unet: halvings below the stem."""
    stem: Few | None = None
    """compact_unet: side of the space-to-depth block, px."""
    encoder: str | None = None
    """smp: encoder name, e.g. "resnet34"."""
    pretrained: bool | None = None
    """smp and fcn32_vgg16: start from ImageNet weights."""
    encoder_weights: str | None = None
    """smp and fcn32_vgg16: safetensors file to take the encoder's weights from instead of the hub."""
    frozen_encoder: bool | None = None
    """fcn32_vgg16: keep the encoder as it is."""
    upsampling: Literal["matched", "original"] | None = None
    """fcn32_vgg16: transposed kernel that fits its stride, or the second page's kernel 32 on stride 16."""


class LossChoice(Choice, frozen=True, kw_only=True):
    """The loss: a weighted sum of the catalogue's losses by name, such as "cross_entropy + 0.5*dice"."""

    name: str
    settings: dict[str, Setting] = {}
    """Every setting of every term, as "term.setting", such as "focal.gamma": 2.0."""


class WeightsChoice(Choice, frozen=True, kw_only=True):
    """Class weights of the terms that take them, mean 1 over labelled pixels."""

    rule: WeightRule
    values: tuple[NotNegative, ...]
    """One weight per class; all 1 for "none"."""
    constant: Annotated[float, Meta(gt=1, le=10)] | None = None
    """enet: c of 1 / ln(c + share)."""
    beta: Annotated[float, Meta(ge=0, lt=1)] | None = None
    """effective_number: (1 - beta) / (1 - beta^n)."""
    counted: Literal["images", "objects"] | None = None
    """effective_number: what n counts. Not pixels: among millions of them all weights become equal."""
    cap: Annotated[float, Meta(ge=1, le=1e6)] | None = None
    """Any computed rule: the largest weight is at most this many times the smallest."""
    deferred: Share | None = None
    """Share of the budget, 0..1, before which every class weighs 1 (Cao 2019); None: weights from the start."""


class SamplingChoice(Choice, frozen=True, kw_only=True):
    """Where training crops lie. "uniform" draws them anywhere; the other rules change a share of them."""

    rule: SamplingRule
    share: Share | None = None
    """All but uniform: share of crops, 0..1, that the rule places (or, for copy_paste, pastes into)."""
    labels: tuple[int, ...] | None = None
    """class_centred, above_mean, copy_paste: class indices of the rare classes."""
    temperature: Positive | None = None
    """rare_class: T of P(c) = softmax((1 - share_c) / T)."""
    minimum_pixels: Count | None = None
    """rare_class: pixels of the drawn class that a crop should hold; crops are drawn anew up to ten times."""


class InitialisationChoice(Choice, frozen=True, kw_only=True):
    """Start of the last layer: with `prior_bias` its weights are 0 and its bias the log of `prior`."""

    prior_bias: bool
    prior: tuple[Share, ...]
    """Share of each class as the loss sees it: times its weight, or even where the loss adjusts for the shares."""


class OptimizerChoice(Choice, frozen=True, kw_only=True):
    """Optimizer and learning-rate schedule: AdamW, or Muon on matrices with AdamW on the rest."""

    name: Literal["adamw", "muon"]
    learning_rate: Positive
    """Peak rate of AdamW."""
    muon_learning_rate: Positive | None = None
    """Peak rate of Muon's orthogonalised steps."""
    weight_decay: NotNegative
    clip_norm: Positive
    """Gradient norm above which the gradient is scaled down."""
    warmup: Annotated[float, Meta(gt=0, lt=1)]
    """Share of the budget, 0..1, over which the rate rises (one-cycle); it falls by a cosine after."""
    ema_decay: Annotated[float, Meta(ge=0, lt=1)]
    """Decay per step of the averaged weights that are kept; 0 keeps the weights as trained."""


class CropChoice(Choice, frozen=True, kw_only=True):
    """Side of the square training crops, px."""

    size: Annotated[int, Meta(ge=16, le=8192)]


class BatchChoice(Choice, frozen=True, kw_only=True):
    """Crops per step."""

    size: Count


class BudgetChoice(Choice, frozen=True, kw_only=True):
    """How long to train: exactly one of steps and minutes is set."""

    steps: Count | None = None
    minutes: Positive | None = None


class PrecisionChoice(Choice, frozen=True, kw_only=True):
    """Arithmetic of the forward pass; losses are always float32."""

    name: Literal["bf16-mixed", "32-true"]
    channels_last: bool


class AugmentationChoice(Choice, frozen=True, kw_only=True):
    """What is varied in each crop. Labels move with the photo."""

    mirror: Literal["none", "horizontal", "both"]
    quarter_turns: bool
    brightness: Deviation
    """Standard deviation of a shift added per image and band, in standard deviations of the band."""
    contrast: Deviation
    """Standard deviation of a factor around 1 applied per image."""


class InferenceChoice(Choice, frozen=True, kw_only=True):
    """How whole images are mapped: overlapping windows, blended, optionally over turned copies."""

    window: Annotated[int, Meta(ge=64, le=8192)]
    """px"""
    overlap: Annotated[int, Meta(ge=0)]
    """px shared by neighbouring windows."""
    views: Literal[1, 2, 8]
    """1, or 2 (with the mirror image), or 8 (with all mirrored and turned copies)."""
    decision: Literal["threshold", "argmax"]
    """threshold: two classes or overlapping ones; argmax: three and more exclusive classes."""
    logit_adjustment: Annotated[float, Meta(ge=0, le=10)] | None = None
    """argmax: the class map takes ln p - logit_adjustment x ln share; no training depends on it. None: 0."""


class WatchChoice(Choice, frozen=True, kw_only=True):
    """How often training looks at itself."""

    every_steps: Count
    """Steps between checks for collapse on held-out crops."""
    validations: Count
    """Scorings of the validation part over the budget."""


class Plan(Record, frozen=True, kw_only=True):
    """Every decision of a run. Made by `rareseg plan`, editable, read by `train`."""

    audit_digest: str
    classes: tuple[str, ...]
    overlapping: bool
    shares: tuple[Share, ...]
    """Share of each class in the training part, of labelled pixels, 0..1."""
    seed: Seed
    model: ModelChoice
    loss: LossChoice
    weights: WeightsChoice
    sampling: SamplingChoice
    initialisation: InitialisationChoice
    optimizer: OptimizerChoice
    crop: CropChoice
    batch: BatchChoice
    budget: BudgetChoice
    precision: PrecisionChoice
    augmentation: AugmentationChoice
    inference: InferenceChoice
    watch: WatchChoice

    def choices(self) -> dict[str, Choice]:
        """Return the sections by name, in the order of the fields."""
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: value for name, value in values.items() if isinstance(value, Choice)}
