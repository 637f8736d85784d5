"""The same four kinds of network in Keras, channels last."""

from typing import Any

import keras
from keras import layers

from casebook.drawing import Network


def build(network: Network, channels: int, last: str, size: int) -> keras.Model:
    """Return a network from (n, rows, cols, 3) to (n, rows, cols, channels); same seed, same weights."""
    keras.utils.set_random_seed(network.seed % (1 << 31))
    images = keras.Input((size, size, 3))
    kinds = {"unet": _unet, "fcn": _fcn, "plain": _plain, "dilated": _dilated}
    features = kinds[network.kind](network, images)
    activation = None if last == "none" else last
    kernel = 3 if network.kind == "plain" else 1
    head = layers.Conv2D(channels, kernel, padding="same", activation=activation, name="head")
    return keras.Model(images, head(features))


def _block(network: Network, inputs: Any, outputs: int, *, strides: int = 1, dilation: int = 1) -> Any:
    made = layers.Conv2D(outputs, 3, strides=strides, padding="same", dilation_rate=dilation)(inputs)
    if network.batch_norm:
        made = layers.BatchNormalization()(made)
    return layers.Activation(network.activation)(made)


def _unet(network: Network, images: Any) -> Any:
    width = network.width
    first = _block(network, _block(network, images, width), width)
    second = _block(network, layers.MaxPooling2D(2)(first), 2 * width)
    third = _block(network, layers.MaxPooling2D(2)(second), 4 * width)
    up = layers.Conv2DTranspose(2 * width, 2, strides=2)(third)
    second = _block(network, layers.Concatenate()([up, second]), 2 * width)
    up = layers.Conv2DTranspose(width, 2, strides=2)(second)
    return _block(network, layers.Concatenate()([up, first]), width)


def _fcn(network: Network, images: Any) -> Any:
    width = network.width
    deep = _block(network, _block(network, images, width), 2 * width, strides=2)
    deep = _block(network, deep, 2 * width)
    up = layers.Conv2DTranspose(width, 4, strides=2, padding="same")(deep)
    return layers.Activation(network.activation)(up)


def _plain(network: Network, images: Any) -> Any:
    features = images
    for _ in range(4):
        features = _block(network, features, network.width)
    return features


def _dilated(network: Network, images: Any) -> Any:
    features = images
    for step in (1, 2, 4, 2):
        features = _block(network, features, network.width, dilation=step)
    return features
