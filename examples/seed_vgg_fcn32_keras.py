"""The second page's Keras code as it stands, under `rareseg.diagnose`: why it predicts only the biggest class.

`get_model` is the page's (its `pop_layer` mended for Keras 3, weights random because none are downloaded): VGG16
without its last pooling, frozen, a transposed convolution with sigmoids, Adadelta() and binary cross-entropy. The
data are generated land scenes with the page's class shares, 62.93 / 25.46 / 11.61 %. The diagnosis names the causes;
the prescription is then followed: softmax, categorical cross-entropy weighted by 1 / ln(1.02 + share) and Dice.

    python examples/seed_vgg_fcn32_keras.py [--size 64] [--epochs 2] [--cure-epochs 12]

Needs `pip install 'rareseg[keras]'`. Keras runs on PyTorch here, unless KERAS_BACKEND says otherwise.
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
from keras.applications import VGG16
from keras.layers import Conv2D, Conv2DTranspose, Reshape
from keras.models import Model
from keras.optimizers import Adadelta, Adam
from keras.optimizers.schedules import CosineDecay

import rareseg
from rareseg.doors.keras import CrossEntropy, Dice
from rareseg.imagery.samples import read_sample

NUMBER_OF_CLASSES = 3
BATCH = 8


def get_model(frozen: bool = True, activation: str = "sigmoid") -> Model:
    """Return the page's network."""
    model = VGG16(include_top=False, weights=None)
    # Remove last max pooling layer (the page's pop_layer works on Keras 2 only)
    last = model.layers[-2].output
    # Freeze pretrained layers
    for layer in model.layers:
        layer.trainable = not frozen
    x = Conv2D(512, (3, 3), activation="relu", padding="same")(last)
    x = Conv2DTranspose(
        NUMBER_OF_CLASSES, kernel_size=(32, 32), strides=(16, 16), activation=activation, padding="same"
    )(x)
    head = Reshape((-1, NUMBER_OF_CLASSES))(x)
    return Model(inputs=model.inputs, outputs=head)


def scenes(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return photos (n, size, size, 3) and flat one-hot labels, for training and held out."""
    with tempfile.TemporaryDirectory() as folder:
        data = rareseg.scenes.write_land(Path(folder) / "land", count=40, size=2 * size, seed=5)
        audit = rareseg.audit(data)
        print("class shares: " + " / ".join(f"{one.share:.2%}" for one in audit.total.classes))
        photos, labels, held_out = [], [], []
        for pair in audit.dataset.pairs:
            sample = read_sample(data, audit.dataset, pair)
            for row in (0, size):
                for column in (0, size):
                    photos.append(
                        sample.photo[:, row : row + size, column : column + size].transpose(1, 2, 0)
                    )
                    labels.append(sample.labels[row : row + size, column : column + size])
                    held_out.append(pair.part != "train")
    x = np.stack(photos).astype("float32")
    y = keras.utils.to_categorical(np.stack(labels).reshape(len(x), -1), NUMBER_OF_CLASSES)
    out = np.array(held_out)
    return x[~out], y[~out], x[out], y[out]


def main() -> None:
    """Train the page's way, diagnose, follow the prescription."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=64, help="px of the crops")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--cure-epochs", type=int, default=12)
    given = parser.parse_args()
    keras.utils.set_random_seed(0)
    x, y, x_val, y_val = scenes(given.size)
    shares = y.mean(axis=(0, 1))

    model = get_model()
    model.compile(optimizer=Adadelta(), loss="binary_crossentropy")
    model.fit(x, y, batch_size=BATCH, epochs=given.epochs, verbose=0)
    show("the page's recipe", model, x_val, y_val)
    diagnosis = rareseg.diagnose(
        model, data=(x, y), validation=(x_val, y_val), epochs_trained=given.epochs, seconds=90
    )
    print(f"  {diagnosis.summary}")
    for finding in diagnosis.findings:
        print(f"    {finding.confidence:.2f} {finding.cause}: {finding.because}")

    weights = 1 / np.log(1.02 + shares)
    print("  weights 1 / ln(1.02 + share): " + " : ".join(f"{weight:.2f}" for weight in weights))
    mean, deviation = x.mean((0, 1, 2)), x.std((0, 1, 2))
    cured = as_he_drew_them(get_model(frozen=False, activation="softmax"))
    steps = len(x) // BATCH * given.cure_epochs
    schedule = CosineDecay(0.0, steps, warmup_target=2e-4, warmup_steps=steps // 10)
    cured.compile(
        optimizer=Adam(schedule, clipnorm=1.0),
        loss=CrossEntropy(class_weights=weights.tolist()) + Dice(),
    )
    cured.fit((x - mean) / deviation, y, batch_size=BATCH, epochs=given.cure_epochs, verbose=0)
    show("as prescribed", cured, (x_val - mean) / deviation, y_val)


def as_he_drew_them(model: Model) -> Model:
    """Give 13 layers in a row weights that neither fade nor blow up what passes (He 2015): none are downloaded."""
    for number, layer in enumerate(model.layers):
        if type(layer) is Conv2D:
            layer.kernel.assign(keras.initializers.HeNormal(seed=number)(layer.kernel.shape))
    return model


def show(name: str, model: Model, x: np.ndarray, y: np.ndarray) -> None:
    """Print the share of pixels that each class is given, and its IoU."""
    said = model.predict(x, batch_size=BATCH, verbose=0).argmax(-1).ravel()
    truth = y.argmax(-1).ravel()
    given = [float((said == label).mean()) for label in range(NUMBER_OF_CLASSES)]
    ious = [
        ((said == label) & (truth == label)).sum() / max(((said == label) | (truth == label)).sum(), 1)
        for label in range(NUMBER_OF_CLASSES)
    ]
    print(
        f"{name}: predicted shares " + " / ".join(f"{share:.1%}" for share in given)
        + ", IoU " + " / ".join(f"{iou:.3f}" for iou in ious)
    )  # fmt: skip


if __name__ == "__main__":
    main()
