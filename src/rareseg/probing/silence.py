"""How much of a network says nothing: dead and saturated units over all its layers."""

from rareseg.records.evidence import LayerUnits


def dead_share(layers: list[LayerUnits]) -> float | None:
    """Return the share of units that are dead, over all layers; None without any."""
    return _over_units(layers, [layer.dead for layer in layers])


def saturated_share(layers: list[LayerUnits]) -> float | None:
    """Return the share of units at an end of their range, over all layers; None without any."""
    return _over_units(layers, [layer.saturated for layer in layers])


def _over_units(layers: list[LayerUnits], shares: list[float]) -> float | None:
    units = sum(layer.units for layer in layers)
    return (
        sum(share * layer.units for share, layer in zip(shares, layers, strict=True)) / units
        if units
        else None
    )
