"""The losses again, in float64 NumPy, as literally as the papers write them: slow, and without torch.

Logits (batch, classes, rows, cols); labels (batch, rows, cols); 255 is not counted.
"""

from tests.references.losses.compound import combo as combo
from tests.references.losses.compound import unified_focal as unified_focal
from tests.references.losses.distances import boundary as boundary
from tests.references.losses.distances import hausdorff as hausdorff
from tests.references.losses.hard import ohem as ohem
from tests.references.losses.hard import top_k as top_k
from tests.references.losses.lovasz import jaccard_loss as jaccard_loss
from tests.references.losses.lovasz import lovasz as lovasz
from tests.references.losses.lovasz import lovasz_extension as lovasz_extension
from tests.references.losses.overlap import dice as dice
from tests.references.losses.overlap import focal_tversky as focal_tversky
from tests.references.losses.overlap import generalised_dice as generalised_dice
from tests.references.losses.overlap import jaccard as jaccard
from tests.references.losses.overlap import tversky as tversky
from tests.references.losses.pixelwise import cross_entropy as cross_entropy
from tests.references.losses.pixelwise import focal as focal
from tests.references.losses.regions import rmi as rmi
from tests.references.losses.shifted import balanced_softmax as balanced_softmax
from tests.references.losses.shifted import ldam as ldam
from tests.references.losses.shifted import logit_adjusted as logit_adjusted
from tests.references.losses.skeletons import cldice as cldice
from tests.references.losses.skeletons import skeleton_recall as skeleton_recall
