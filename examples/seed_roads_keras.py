"""The first page's Keras script as it stands, under `rareseg.diagnose`: why zeros are answered "one", and the cure.

A question about a road network that outputs only black came with a toy: ten random bytes, y = 0 if the first byte is
at most 3, one sample in 64. Its three attempts are run here as they were written (indentation mended; `class_weights`
is called `class_weight` in Keras): raw, class_weight = {0: 100, 1: 1}, and one-hot targets with a categorical loss.
Each is diagnosed after its ten epochs. Then the cures that the diagnosis names: more epochs, drawing classes evenly,
and, without any training, the threshold.

    python examples/seed_roads_keras.py [--epochs 10] [--more 60] [--seed 0]

Needs `pip install 'rareseg[keras]'`. Keras runs on PyTorch here, unless KERAS_BACKEND says otherwise.
"""

import argparse
import os
import random

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
from keras.layers import Dense
from keras.models import Sequential

import rareseg

THRESHOLD = 3
BALANCED = False


def page_data(balanced: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the page's X and Y."""
    if balanced:
        X = [
            [
                random.randint(THRESHOLD + 1, 255) if random.randint(0, 1) else random.randint(0, THRESHOLD)
                for _ in range(10)
            ]
            for _ in range(10**4)
        ]
    else:
        X = [[random.randint(0, 255) for _ in range(10)] for _ in range(10**4)]
    Y = [[0] if x[0] <= THRESHOLD else [1] for x in X]
    return np.array(X), np.array(Y)


def page_model(outputs: int = 1) -> Sequential:
    """Return the page's network; two outputs for its attempt with one-hot targets."""
    model = Sequential()
    model.add(keras.Input((10,)))
    model.add(Dense(8, activation="sigmoid"))
    model.add(Dense(outputs, activation="sigmoid" if outputs == 1 else "softmax"))
    return model


def main() -> None:
    """Run the page's attempts, diagnose each, and cure the first."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--more", type=int, default=60, help="epochs of the cure by training longer")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    random.seed(given.seed)
    keras.utils.set_random_seed(given.seed)
    X, Y = page_data(BALANCED)
    cut = len(X) * 8 // 10
    train, test = (X[:cut], Y[:cut]), (X[cut:], Y[cut:])
    hot = keras.utils.to_categorical
    attempts = (
        ("raw", page_model(), train, test, "binary_crossentropy", None),
        ("class_weight 100 : 1", page_model(), train, test, "binary_crossentropy", {0: 100, 1: 1}),
        (
            "one-hot, categorical loss",
            page_model(2),
            (train[0], hot(train[1], 2)),
            (test[0], hot(test[1], 2)),
            "categorical_crossentropy",
            None,
        ),
    )
    for name, model, seen, unseen, loss, weight in attempts:
        model.compile(loss=loss, optimizer="adam")
        model.fit(*seen, batch_size=10, epochs=given.epochs, verbose=0, class_weight=weight)
        show(f"{name}, {given.epochs} epochs", model, test)
        diagnosis = rareseg.diagnose(
            model,
            data=(seen[0].astype("float32"), seen[1]),
            validation=(unseen[0].astype("float32"), unseen[1]),
            classes=("zero", "one"),
            class_weight=weight,
            epochs_trained=given.epochs,
            seconds=60,
        )
        print(f"    {diagnosis.summary}")
        for finding in diagnosis.findings[:3]:
            print(f"      {finding.confidence:.2f} {finding.cause}: {finding.because}")
    cure(train, test, given.epochs, given.more)


def cure(train: tuple, test: tuple, epochs: int, more: int) -> None:
    """Show what more epochs and drawing classes evenly do."""
    longer = page_model()
    longer.compile(loss="binary_crossentropy", optimizer="adam")
    longer.fit(*train, batch_size=10, epochs=more, verbose=0)
    show(f"cure: {more} epochs", longer, test)
    x, y = train
    rare = np.flatnonzero(y[:, 0] == 0)
    drawn = np.concatenate(
        [
            np.random.default_rng(0).choice(rare, len(y) // 2),
            np.random.default_rng(1).permutation(len(y))[: len(y) // 2],
        ]
    )
    even = page_model()
    even.compile(loss="binary_crossentropy", optimizer="adam")
    np.random.default_rng(2).shuffle(drawn)
    even.fit(x[drawn], y[drawn], batch_size=10, epochs=more, verbose=0)
    show(f"cure: both classes drawn evenly, {more} epochs", even, test)


def show(name: str, model: Sequential, test: tuple) -> None:
    """Print the mean answer to zeros and to ones, as the page does."""
    answers = model.predict(test[0], verbose=0)
    ones = answers[:, -1]
    zeros = test[1][:, 0] == 0
    print(f"{name}: zeros are answered {ones[zeros].mean():.3f}, ones {ones[~zeros].mean():.3f}")


if __name__ == "__main__":
    main()
