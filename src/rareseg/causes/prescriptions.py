"""Prescriptions as code that runs: for PyTorch, for Keras 3, and the line for `rareseg`.

Names in the snippets are the user's own: model, optimizer, logits, labels, x, y.
"""

from rareseg.records.diagnosis import Prescription


def torch(code: str) -> Prescription:
    """Return a PyTorch snippet."""
    return Prescription(framework="torch", code=code.strip())


def keras(code: str) -> Prescription:
    """Return a Keras 3 snippet."""
    return Prescription(framework="keras", code=code.strip())


def rareseg(code: str) -> Prescription:
    """Return a rareseg command."""
    return Prescription(framework="rareseg", code=code.strip())


THRESHOLD = (
    torch("""
# the threshold with the best F1 on validation data; probabilities (n,),
# labels (n,) of 0 and 1
order = probabilities.argsort(descending=True)
hits = labels[order].cumsum(0)
f1 = 2 * hits / (torch.arange(1, len(hits) + 1) + labels.sum())
threshold = probabilities[order][f1.argmax()]
road = probabilities >= threshold
"""),
    keras("""
p = model.predict(x_val).ravel(); y = y_val.ravel()
order = p.argsort()[::-1]
hits = y[order].cumsum()
f1 = 2 * hits / (np.arange(1, len(hits) + 1) + y.sum())
threshold = p[order][f1.argmax()]
road = model.predict(x_val) >= threshold
"""),
    rareseg("rareseg train DATA -o RUN  # chooses thresholds by itself"),
)

LONGER = (
    torch("""
from rareseg import losses

# start at the class shares instead of one half, so that no step goes
# into learning them
torch.nn.init.zeros_(head.weight)
head.bias.data.copy_(torch.log(torch.tensor(class_shares)))
for epoch in range(10 * epochs):
    for images, labels in loader:
        optimizer.zero_grad()
        losses.cross_entropy(model(images), labels).backward()
        optimizer.step()
"""),
    keras("""
model.fit(x, y, epochs=10 * epochs, validation_data=(x_val, y_val))
"""),
    rareseg("rareseg train DATA -o RUN --minutes 15"),
)

SLOWER = (
    torch("""
# dead units do not recover
for module in model.modules():
    if hasattr(module, "reset_parameters"):
        module.reset_parameters()
optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate / 10)
# warm_up.step() each step
warm_up = torch.optim.lr_scheduler.LinearLR(
    optimizer, start_factor=0.01, total_iters=200
)
# before each optimizer.step()
torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
"""),
    keras("""
# fresh weights: dead units do not recover
model = build_model()
schedule = keras.optimizers.schedules.CosineDecay(
    0.0, 5000, warmup_target=learning_rate / 10, warmup_steps=200
)
optimizer = keras.optimizers.Adam(schedule, clipnorm=1.0)
model.compile(optimizer=optimizer, loss=loss)
"""),
    rareseg("rareseg train DATA -o RUN --set optimizer.learning_rate=0.002"),
)

STANDARDISE = (
    torch("""
mean = images.mean((0, 2, 3), keepdim=True)
std = images.std((0, 2, 3), keepdim=True)
# the same numbers when mapping
images = (images - mean) / std
"""),
    keras("""
scale = keras.layers.Normalization(axis=-1)
# first layer of the model
scale.adapt(x)
"""),
)

FASTER = (
    torch("""
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
"""),
    keras("""
# Keras's Adadelta starts at 0.001; the paper's rate is 1.0
model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss)
"""),
)

UNFREEZE = (
    torch("""
model.requires_grad_(True)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
"""),
    keras("""
for layer in model.layers:
    layer.trainable = True
# compile anew, or nothing changes
model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss)
"""),
)

SOFTMAX = (
    torch("""
from rareseg import losses

shares = class_pixels / class_pixels.sum()
# Paszke 2016
weights = 1 / torch.log(1.02 + shares)
loss = losses.cross_entropy(logits, labels, weights=weights.tolist())
loss = loss + losses.dice(logits, labels)
"""),
    keras("""
from rareseg.doors.keras import CrossEntropy, Dice

# Paszke 2016
weights = 1 / np.log(1.02 + class_pixels / class_pixels.sum())
# last layer: activation="softmax"
model.compile(
    optimizer=keras.optimizers.Adam(1e-3),
    loss=CrossEntropy(class_weights=weights.tolist()) + Dice(),
)
"""),
    rareseg(
        "rareseg train DATA -o RUN --set weights.rule=enet \\\n    --set loss.name='cross_entropy + dice'"
    ),
)

LOGITS = (
    torch("""
# no Softmax, no Sigmoid behind it
model.head = torch.nn.Conv2d(features, classes, 1)
loss = torch.nn.functional.cross_entropy(logits, labels)
"""),
    keras("""
# one of both, not both: last layer activation="softmax" and
model.compile(
    optimizer=optimizer,
    loss=keras.losses.CategoricalCrossentropy(from_logits=False),
)
"""),
)

FROM_LOGITS = (
    torch("""
# not binary_cross_entropy
loss = torch.nn.functional.binary_cross_entropy_with_logits(
    logits, labels
)
"""),
    keras("""
model.compile(
    optimizer=optimizer,
    loss=keras.losses.BinaryCrossentropy(from_logits=True),
)
"""),
)

ONE_CHANNEL = (
    torch("""
# one channel: a sigmoid, never a softmax
probability = torch.sigmoid(logits)
loss = torch.nn.functional.binary_cross_entropy_with_logits(
    logits, labels.float()
)
"""),
    keras("""
outputs = keras.layers.Conv2D(1, 1, activation="sigmoid")(features)
model.compile(optimizer=optimizer, loss="binary_crossentropy")
"""),
)

VALUES = (
    torch("""
# 0 and 255 to 0 and 1
labels = (masks > 127).long()
"""),
    keras("""# 0 and 255 to 0 and 1
y = (masks > 127).astype("int32")"""),
    rareseg("rareseg audit DATA  # shows raw values, and the TOML for them"),
)

NEAREST = (
    torch("""
masks = torch.nn.functional.interpolate(
    masks[:, None].float(), size, mode="nearest"
)[:, 0].long()
"""),
    keras("""y = keras.ops.image.resize(masks, size, interpolation="nearest")"""),
)

PIXEL_WEIGHTS = (
    torch("""
loss = torch.nn.CrossEntropyLoss(weight=torch.tensor(weights))
"""),
    keras("""
from rareseg.doors.keras import CrossEntropy

# not fit(class_weight=...)
model.compile(
    optimizer=optimizer, loss=CrossEntropy(class_weights=weights)
)
"""),
    rareseg("rareseg train DATA -o RUN --set weights.rule=sqrt_inverse"),
)

WITH_CROSS_ENTROPY = (
    torch("""
from rareseg import losses

loss = losses.cross_entropy(logits, labels)
loss = loss + losses.dice(logits, labels)
"""),
    keras("""
from rareseg.doors.keras import CrossEntropy, Dice

model.compile(optimizer=optimizer, loss=CrossEntropy() + Dice())
"""),
    rareseg("rareseg train DATA -o RUN --set loss.name='cross_entropy + dice'"),
)

DRAW_RARE = (
    torch("""
holds = [float((mask == rare).any()) for mask in masks]
sampler = torch.utils.data.WeightedRandomSampler(
    [0.1 + one for one in holds], len(holds)
)
loader = torch.utils.data.DataLoader(
    dataset, batch_size=8, sampler=sampler
)
"""),
    keras("""
holds = (y == rare).any(axis=(1, 2))
chance = np.where(holds, 0.5 / holds.sum(), 0.5 / (~holds).sum())
order = np.random.default_rng(0).choice(len(x), size=len(x), p=chance)
model.fit(x[order], y[order])
"""),
    rareseg("rareseg train DATA -o RUN --set sampling.rule=rare_class"),
)

NORMALISE = (
    torch("""
for name, module in model.named_modules():
    if isinstance(module, torch.nn.BatchNorm2d):
        # averages over all batches from now on
        module.momentum = None
        module.reset_running_stats()
model.train()
with torch.no_grad():
    for images, _ in loader:
        model(images)
"""),
    keras(
        """# instead of BatchNormalization, for small batches
keras.layers.GroupNormalization(groups=8)"""
    ),
)

FULL_PRECISION = (
    torch("""
with torch.autocast("cuda", dtype=torch.bfloat16):
    logits = model(images)
# sums over pixels in float32
loss = torch.nn.functional.cross_entropy(logits.float(), labels)
"""),
    keras("""keras.config.set_dtype_policy("mixed_bfloat16")"""),
)

KEEP_BEST = (
    keras("""
keep = keras.callbacks.ModelCheckpoint(
    "best.keras", monitor="val_iou", mode="max", save_best_only=True
)
"""),
)
