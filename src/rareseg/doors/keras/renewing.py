"""Draw a model's trainable weights anew, from the initializers that its layers name."""

from typing import Any

import keras

_STATISTICS = ("moving_mean", "moving_variance")


def renewed(model: Any) -> bool:
    """Draw every trainable weight anew, and start statistics over; frozen weights stay.

    Args:
        model: Built.

    Returns:
        False, and the model is as it was, if a trainable weight has no initializer that can be found, as those of
        wrapped modules and of layers that name it otherwise.
    """
    drawn: dict[int, tuple[Any, Any]] = {}
    for layer in model._flatten_layers():
        for variable in _own(layer):
            initializer = _initializer(layer, variable.name)
            if initializer is None:
                return False
            try:
                value = _unseeded(initializer)(tuple(variable.shape), dtype=variable.dtype)
            except Exception:
                return False
            drawn[id(variable)] = (variable, value)
    known = {id(variable) for variable in model.trainable_variables}
    if not known <= drawn.keys():
        return False
    for variable, value in drawn.values():
        variable.assign(value)
    return True


def _own(layer: Any) -> list[Any]:
    """Return the layer's own weights that training changes, statistics included."""
    weights = [variable for variable in layer._trainable_variables if variable.trainable]
    if layer.trainable:
        weights += [v for v in layer._non_trainable_variables if v.name in _STATISTICS]
    return weights


def _initializer(layer: Any, name: str) -> Any | None:
    plain = name.removesuffix("_kernel")
    # Depthwise layers call their weight kernel, and its initializer depthwise_initializer.
    names = [name, plain, *(["depthwise"] if name == "kernel" else [])]
    for one in names:
        found = getattr(layer, f"{one}_initializer", None)
        if callable(found):
            return found
    return None


def _unseeded(initializer: Any) -> Any:
    """Return the same initializer with a seed of its own: with the old one it would draw the old weights."""
    if not isinstance(initializer, keras.initializers.Initializer):
        return initializer
    config = dict(initializer.get_config())
    if "seed" not in config:
        return initializer
    config["seed"] = None
    return type(initializer).from_config(config)
