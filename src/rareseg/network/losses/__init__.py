"""Losses: pure functions of logits and integer labels, each a mean over counted pixels or over classes."""

from rareseg.network.losses.boundaries import boundary as boundary
from rareseg.network.losses.boundaries import hausdorff as hausdorff
from rareseg.network.losses.catalogue import LOSSES as LOSSES
from rareseg.network.losses.catalogue import LossSum as LossSum
from rareseg.network.losses.catalogue import build as build
from rareseg.network.losses.compound import combo as combo
from rareseg.network.losses.compound import unified_focal as unified_focal
from rareseg.network.losses.hard import ohem as ohem
from rareseg.network.losses.hard import top_k as top_k
from rareseg.network.losses.lovasz import lovasz as lovasz
from rareseg.network.losses.overlap import dice as dice
from rareseg.network.losses.overlap import focal_tversky as focal_tversky
from rareseg.network.losses.overlap import generalised_dice as generalised_dice
from rareseg.network.losses.overlap import jaccard as jaccard
from rareseg.network.losses.overlap import tversky as tversky
from rareseg.network.losses.pixelwise import cross_entropy as cross_entropy
from rareseg.network.losses.pixelwise import focal as focal
from rareseg.network.losses.regions import rmi as rmi
from rareseg.network.losses.shifted import balanced_softmax as balanced_softmax
from rareseg.network.losses.shifted import ldam as ldam
from rareseg.network.losses.shifted import logit_adjusted as logit_adjusted
from rareseg.network.losses.skeletons import cldice as cldice
from rareseg.network.losses.skeletons import skeleton_recall as skeleton_recall
from rareseg.remedies.catalogue import add_loss

add = add_loss
