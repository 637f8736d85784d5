"""Losses: pure functions of logits and integer labels, each a mean over counted pixels or over classes."""

from rareseg.network.losses.catalogue import LOSSES as LOSSES
from rareseg.network.losses.catalogue import build as build
from rareseg.network.losses.lovasz import lovasz as lovasz
from rareseg.network.losses.overlap import dice as dice
from rareseg.network.losses.overlap import tversky as tversky
from rareseg.network.losses.pixelwise import cross_entropy as cross_entropy
from rareseg.network.losses.pixelwise import focal as focal
