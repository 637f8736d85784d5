"""Losses that add up over pixels."""

from rareseg.remedies.catalogue.entry import Remedy, Setting
from rareseg.remedies.catalogue.judging import always, crowded, several_and_rare

CROSS_ENTROPY = Remedy(
    name="cross_entropy",
    family="loss",
    summary="minus the log-probability of the label, averaged over pixels; class weights optional",
    formula="mean over pixels of -w_y ln p_y, divided by the mean of w_y; smoothing s: the label is given 1 - s + s/K",
    reference="Szegedy 2016, arXiv:1512.00567, sec. 7 (smoothing)",
    when="always: it ranks pixels best and its probabilities are honest",
    traps=(
        "unaided, its first descent leads to the constant answer: start the last layer at the prior",
        "weights shift the probabilities: undo the shift before reading 0.3 as 30 %",
        "smoothing pulls rare-class probabilities up to s/K, which may lie above the class's share",
    ),
    settings=(
        Setting(
            name="smoothing",
            kind="number",
            default=0.0,
            low=0,
            high=1,
            open_high=True,
            meaning="share of the label that is spread over all classes",
        ),
    ),
    takes_weights=True,
    judge=always,
)

FOCAL = Remedy(
    name="focal",
    family="loss",
    summary="cross-entropy that fades where the network is sure, so that easy background stops drowning the rest",
    formula="mean over pixels of -alpha_y (1 - p_y)^gamma ln p_y",
    reference="Lin 2017, arXiv:1708.02002, eq. 5",
    when="very many easy pixels and few hard ones, with the last layer started at the prior",
    traps=(
        "alpha 0.25 weighs the rare class LESS (0.25 against 0.75): it was tuned for detection, beside gamma = 2",
        "one alpha for all classes balances nothing",
        "probabilities are pulled towards the middle: thresholds must be chosen anew",
        "some packages compute a sigmoid focal for exclusive classes: not this function",
    ),
    settings=(
        Setting(
            name="gamma",
            kind="number",
            default=2.0,
            low=0,
            high=20,
            meaning="exponent of 1 - p; 0 is cross-entropy",
        ),
        Setting(
            name="alpha",
            kind="numbers",
            default=None,
            low=0,
            high=1,
            meaning="factor of each class's pixels (sigmoid: alpha for the class, 1 - alpha for the rest)",
        ),
    ),
    takes_weights=True,
    judge=crowded,
)

TOP_K = Remedy(
    name="top_k",
    family="loss",
    summary="cross-entropy of the hardest share of the pixels only",
    formula="mean of the largest k of the pixels' -ln p_y, k = share x counted pixels",
    reference="Wu 2016, arXiv:1605.06885 (bootstrapping); nnU-Net's TopK10",
    when="clean masks and a rare class that is hard but learnable",
    traps=("the hardest pixels are the mislabelled ones: with label noise it fits the noise",),
    settings=(
        Setting(
            name="share",
            kind="number",
            default=0.1,
            low=0,
            high=1,
            open_low=True,
            meaning="share of pixels kept",
        ),
    ),
    takes_weights=True,
    judge=crowded,
)

OHEM = Remedy(
    name="ohem",
    family="loss",
    summary="cross-entropy of pixels that are not sure yet, and of a least share of them",
    formula="mean of -ln p_y over pixels with p_y < threshold, at least the hardest least_share of them",
    reference="Shrivastava 2016, arXiv:1604.03540; thresholded as in segmentation codes",
    when="as top_k; it stops caring for what is already right",
    traps=(
        "with label noise it fits the noise",
        "codes that keep at least 100,000 pixels keep every pixel of small crops: here it is a share",
    ),
    settings=(
        Setting(
            name="threshold",
            kind="number",
            default=0.7,
            low=0,
            high=1,
            open_low=True,
            meaning="probability of the label below which a pixel counts as hard",
        ),
        Setting(
            name="least_share",
            kind="number",
            default=0.0625,
            low=0,
            high=1,
            open_low=True,
            meaning="share of pixels that is kept however easy",
        ),
    ),
    takes_weights=True,
    judge=crowded,
)

LOGIT_ADJUSTED = Remedy(
    name="logit_adjusted",
    family="loss",
    summary="cross-entropy on logits shifted by the log prior, so that the logits themselves learn equal shares",
    formula="CE(z + temperature ln p_c); sigmoid: z + temperature ln(p_c / (1 - p_c))",
    reference="Menon 2020, arXiv:2007.07314, eq. 10",
    when="several exclusive classes compete for one answer and the rare ones lose it",
    traps=(
        "do not combine it with class weights: both correct for the same prior",
        "at use the raw logits favour rare classes: probabilities are mapped back by adding the shift",
    ),
    settings=(
        Setting(
            name="temperature",
            kind="number",
            default=1.0,
            low=0,
            high=10,
            meaning="strength; 0 is cross-entropy",
        ),
    ),
    takes_shares=True,
    judge=several_and_rare,
)

BALANCED_SOFTMAX = Remedy(
    name="balanced_softmax",
    family="loss",
    summary="softmax whose classes are multiplied by their shares: logit adjustment at temperature 1",
    formula="-ln(p_y e^z_y / sum_c p_c e^z_c)",
    reference="Ren 2020, arXiv:2007.10740, eq. 3",
    when="as logit_adjusted; exclusive classes only",
    traps=(
        "do not combine it with class weights or class-balanced sampling: each corrects for the prior again",
    ),
    takes_shares=True,
    exclusive_only=True,
    judge=several_and_rare,
)

LDAM = Remedy(
    name="ldam",
    family="loss",
    summary="cross-entropy with a margin for each class that is wider the rarer it is",
    formula="CE(scale (z_c - m_c [c = y])), m_c = max_margin (p_min / p_c)^(1/4)",
    reference="Cao 2019, arXiv:1906.07413, eq. 11; its deferred reweighting is weights.deferred",
    when="exclusive classes of very different size; best with weights that start late, such as weights.rule=inverse "
    "with weights.deferred=0.8",
    traps=(
        "the paper's scale 30 belongs to logits that are cosines: on plain logits it makes steps explode",
        "weights from the start cost features of the large classes: defer them",
    ),
    settings=(
        Setting(
            name="max_margin",
            kind="number",
            default=0.5,
            low=0,
            high=20,
            unit="logits",
            meaning="margin of the rarest",
        ),
        Setting(
            name="scale",
            kind="number",
            default=1.0,
            low=0,
            high=100,
            open_low=True,
            meaning="factor of the logits",
        ),
    ),
    takes_weights=True,
    takes_shares=True,
    judge=several_and_rare,
)

ENTRIES = (CROSS_ENTROPY, FOCAL, TOP_K, OHEM, LOGIT_ADJUSTED, BALANCED_SOFTMAX, LDAM)
