"""Class weights, sampling rules, and what is done with the prior."""

from rareseg.remedies.catalogue.entry import Judge, Remedy, Setting
from rareseg.remedies.catalogue.judging import (
    always,
    blobs,
    effective_numbers,
    missed_by_crops,
    several_and_rare,
)

_CAP = Setting(
    name="cap",
    kind="number",
    default=None,
    low=1,
    high=1e6,
    meaning="the largest weight is at most this many times the smallest",
)
DEFERRED = Setting(
    name="deferred",
    kind="number",
    default=None,
    low=0,
    high=1,
    open_high=True,
    meaning="share of the budget before which every class weighs 1",
)
_SHIFT = "probabilities are shifted by the factor of the weights: they are mapped back after training"
_SEVERAL = "several exclusive classes compete for one answer, and some are rare"


def _weights(
    name: str,
    summary: str,
    formula: str,
    reference: str,
    *traps: str,
    judge: Judge = several_and_rare,
    **more: Setting,
) -> Remedy:
    return Remedy(
        name=name,
        family="weights",
        summary=summary,
        formula=f"{formula}; scaled to mean 1 over pixels",
        reference=reference,
        when=_SEVERAL,
        traps=(*traps, _SHIFT),
        settings=(*more.values(), _CAP, DEFERRED),
        judge=judge,
    )


WEIGHTS = (
    _weights(
        "inverse",
        "every class gets the same part of the loss",
        "w_c = 1 / p_c",
        "folklore",
        "below 1 % the ratio passes 100, and the loss hangs on a few, perhaps mislabelled, pixels: set a cap",
    ),
    _weights(
        "sqrt_inverse",
        "half-way, in logarithms, between no weights and inverse ones",
        "w_c = 1 / sqrt(p_c)",
        "folklore; Mahajan 2018, arXiv:1805.00932, sec. 2.2 (for sampling)",
    ),
    _weights(
        "median_frequency",
        "inverse frequency, counted in the images that hold the class",
        "w_c = median(f) / f_c, f_c = pixels of c / pixels of images with c",
        "Eigen & Fergus 2015, arXiv:1411.4734",
        "weights published for a data set differ from what its masks give: they are counted anew here",
    ),
    _weights(
        "enet",
        "bounded inverse weights",
        "w_c = 1 / ln(constant + p_c)",
        "Paszke 2016, arXiv:1606.02147, sec. 5",
        "with 1.02 no class weighs more than 50.5 before scaling, however rare; 1.03, also met, gives 33.8",
        constant=Setting(
            name="constant",
            kind="number",
            default=1.02,
            low=1,
            high=10,
            open_low=True,
            meaning="bounds the weights",
        ),
    ),
    _weights(
        "effective_number",
        "inverse of the effective number of images or objects that hold the class",
        "w_c = (1 - beta) / (1 - beta^n_c), n_c = images or objects with the class",
        "Cui 2019, arXiv:1901.05555, eq. 2",
        "counted in pixels all weights are equal, for every beta up to 0.99999: n is images or objects here",
        "where every image holds every class, as is usual, images give all classes the same weight: count objects",
        judge=effective_numbers,
        beta=Setting(
            name="beta",
            kind="number",
            default=None,
            low=0,
            high=1,
            open_high=True,
            meaning="0: no weights; towards 1: inverse to n; none: 1 - 1/n of the class with most",
        ),
        counted=Setting(
            name="counted",
            kind="name",
            default="images",
            choices=("images", "objects"),
            meaning="what n counts",
        ),
    ),
)

_LABELS = Setting(
    name="labels",
    kind="class indices",
    default=None,
    low=0,
    meaning="the rare classes; none: chosen by their shares and by how often crops miss them",
)


def _share(meaning: str, default: float) -> Setting:
    return Setting(
        name="share", kind="number", default=default, low=0, high=1, open_low=True, meaning=meaning
    )


SAMPLING = (
    Remedy(
        name="class_centred",
        family="sampling",
        summary="a share of the crops is centred on a pixel of a rare class, drawn evenly among them",
        formula="class uniform over labels, place uniform over its pixels' 32 px blocks",
        reference="Isensee 2021, doi:10.1038/s41592-020-01008-z (nnU-Net, 33 %)",
        when="a random crop mostly misses the class",
        traps=(
            "training sees the class more often than it occurs: probabilities are mapped back after training",
            "validation on such crops flatters: scores here are of whole images",
        ),
        settings=(_share("share of crops that are centred", 0.33), _LABELS),
        judge=missed_by_crops,
    ),
    Remedy(
        name="rare_class",
        family="sampling",
        summary="the class of a crop is drawn by a softmax over rarity, then an image and a place that hold it",
        formula="P(c) = softmax((1 - f_c) / temperature)",
        reference="Hoyer 2022, arXiv:2111.14887, eq. 5-6",
        when="many classes, several of them rare",
        traps=(
            "the published temperature 0.01 suits 19 classes; with three it draws one class only: it is chosen here",
        ),
        settings=(
            _share("share of crops that are drawn so", 1.0),
            Setting(
                name="temperature",
                kind="number",
                default=None,
                low=0,
                high=100,
                open_low=True,
                meaning="evenness; none: chosen from the number of classes",
            ),
            Setting(
                name="minimum_pixels",
                kind="whole number",
                default=100,
                low=1,
                unit="px",
                meaning="pixels of the class that a crop should hold",
            ),
        ),
        judge=several_and_rare,
    ),
    Remedy(
        name="above_mean",
        family="sampling",
        summary="a share of the crops holds more of a rare class than the average crop",
        formula="place uniform over crops with more than the mean share of the class",
        reference="practice of aerial mapping; no paper known",
        when="the class is clustered, and many crops are empty",
        traps=("background without the class is seen less: false alarms there rise",),
        settings=(_share("share of crops above the mean", 0.5), _LABELS),
        judge=missed_by_crops,
    ),
    Remedy(
        name="copy_paste",
        family="sampling",
        summary="objects of a rare class are pasted from other crops, scaled and mirrored",
        formula="objects drawn evenly, scale 0.5 to 2, labels moved along",
        reference="Ghiasi 2021, arXiv:2012.07177",
        when="few, compact objects",
        traps=("roads and other linear classes lose their connections: a poor fit",),
        settings=(_share("share of crops that are pasted into", 0.5), _LABELS),
        judge=blobs,
    ),
)

PRIORS = (
    Remedy(
        name="prior_bias",
        family="prior",
        summary="the last layer starts at the class shares, so that no step is spent on learning the constant answer",
        formula="weights 0; bias ln p_c (softmax), ln(p_c / (1 - p_c)) (sigmoid)",
        reference="Lin 2017, arXiv:1708.02002, sec. 4.1",
        when="always: it costs nothing",
        traps=(
            "the first loss must equal the entropy of the shares: check it",
            "a head without bias cannot hold it",
        ),
        judge=always,
    ),
    Remedy(
        name="logit_adjustment",
        family="prior",
        summary="after training, the class map is decided as if rare classes were more frequent; nothing is retrained",
        formula="argmax of ln p(c | pixel) - temperature ln p_c",
        reference="Menon 2020, arXiv:2007.07314, sec. 4.1 (post hoc)",
        when="several exclusive classes compete for one answer; of two, the threshold does the same",
        traps=(
            "temperature 1 finds most of every class and is often wrong: it answers as if all were equally frequent",
            "beside class weights it corrects for the prior twice",
        ),
        settings=(
            Setting(
                name="logit_adjustment",
                kind="number",
                default=1.0,
                low=0,
                high=10,
                meaning="temperature, as inference.logit_adjustment",
            ),
        ),
        judge=several_and_rare,
    ),
    Remedy(
        name="undo_shift",
        family="prior",
        summary="probabilities are mapped back to the true shares after weighting or oversampling: 0.3 means 30 %",
        formula="z_c - ln w_c - ln(q_c / p_c), w the weights, q the shares that training saw, p the true ones",
        reference="Saerens 2002, doi:10.1162/089976602753284446; Menon 2020, arXiv:2007.07314",
        when="always done after training; `rareseg evaluate` shows the calibration error",
        traps=(
            "Dice, focal, Lovasz and sums have no formula: there a fit on validation data stands in",
            "thresholds chosen before do not fit after",
        ),
        judge=always,
    ),
)

ENTRIES = (*WEIGHTS, *SAMPLING, *PRIORS)
