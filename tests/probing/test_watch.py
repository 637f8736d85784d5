import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from rareseg.errors import SettingError
from rareseg.probing.watch import CollapseWatch

SHAPE = (2, 32, 32)


def _batch(random, strength=4.0, share=0.1, bias=-2.0):
    labels = (random.random(SHAPE) < share).astype(np.int64)
    single = random.normal(size=SHAPE) + strength * labels + bias
    return np.stack([np.zeros(SHAPE), single], axis=1).astype(np.float32), labels


def _feed(watch, updates, **settings):
    random = np.random.default_rng(0)
    told = []
    for _ in range(updates):
        told.append(watch.update(*_batch(random, **settings)))
    return [notice for notice in told if notice]


def _quick(**settings):
    return CollapseWatch(["ground", "road"], **{"every": 5, **settings})


def test_a_good_course_is_healthy_and_nothing_is_told():
    watch = _quick()
    assert _feed(watch, 60) == []
    assert watch.verdict().state == "healthy"
    assert watch.notices == ()


def test_a_dead_course_is_told_once_and_may_stop():
    watch = _quick(stop=True)
    random = np.random.default_rng(0)
    told = [watch.update(_batch(random)[0] * 0, _batch(random)[1]) for _ in range(60)]
    assert [(notice.step, notice.state, notice.stop) for notice in told if notice] == [
        (15, "constant output", True)
    ]
    assert watch.notices == tuple(notice for notice in told if notice)
    assert watch.verdict().stop


def test_nothing_stops_unless_asked_to():
    watch = _quick()
    _feed(watch, 30, strength=0.0)
    assert [(notice.state, notice.stop) for notice in watch.notices] == [("not learning", False)]
    assert not watch.verdict().stop


def test_a_threshold_that_is_off_never_asks_to_stop():
    watch = _quick(stop=True)
    assert [(one.state, one.stop) for one in _feed(watch, 40, bias=-9.0)] == [
        ("ranks well, threshold off", False)
    ]


def test_news_may_come_again_after_the_training_was_well():
    watch = _quick()
    _feed(watch, 40, bias=-9.0)
    _feed(watch, 10)
    _feed(watch, 40, bias=-9.0)
    states = [notice.state for notice in watch.notices]
    assert states.count("ranks well, threshold off") + states.count("late collapse") == 2


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_is_told_at_once_and_only_once(value):
    watch = _quick(stop=True)
    random = np.random.default_rng(0)
    logits, labels = _batch(random)
    assert watch.update(logits, labels) is None
    logits[0, 1, :3, :3] = value
    notice = watch.update(logits, labels)
    assert (notice.step, notice.state, notice.stop) == (2, "not finite", True)
    assert "logits of 9 of 2048" in notice.reason
    assert [watch.update(logits, labels) for _ in range(20)] == [None] * 20
    assert watch.verdict().state == "not finite"


def test_answers_that_are_nan_everywhere_are_no_reason_to_fail():
    watch = _quick()
    logits, labels = _batch(np.random.default_rng(0))
    told = [watch.update(logits * np.nan, labels) for _ in range(20)]
    assert [notice.state for notice in told if notice] == ["not finite"]
    _feed(watch, 10)
    assert watch.verdict().state == "healthy"


def test_labels_out_of_range_are_told_at_once_and_only_once():
    watch = _quick()
    random = np.random.default_rng(0)
    told = []
    for _ in range(30):
        logits, labels = _batch(random)
        labels[:, 0] = 7
        told.append(watch.update(logits, labels))
    assert watch.verdict().state == "healthy"
    assert told[0].state == "labels out of range"
    assert "7, where 0 to 1 and the ignored 255 are known" in told[0].reason
    assert not any(told[1:])


@pytest.mark.parametrize("rhythm", [1, 3])
def test_labels_out_of_range_hide_nothing_else(rhythm):
    watch = _quick()
    random = np.random.default_rng(0)
    for step in range(40):
        logits, labels = _batch(random, bias=-2.0 if step < 20 else -300.0)
        labels[:, 0] = 7 if step % rhythm == 0 else 0
        watch.update(logits, labels)
    assert [notice.state for notice in watch.notices] == ["labels out of range", "late collapse"]


def test_masks_of_0_and_255_are_seen_to_lose_the_class():
    watch = CollapseWatch(every=5, stop=True)
    random = np.random.default_rng(0)
    for _ in range(20):
        logits, labels = _batch(random)
        watch.update(logits, labels * 255)
    assert [(notice.state, notice.stop) for notice in watch.notices] == [("class absent", True)]
    assert "255" in watch.notices[0].reason


def test_the_history_is_of_the_worst_class_and_one_entry_per_window():
    watch = _quick()
    random = np.random.default_rng(0)
    for step in range(20):
        watch.update(*_batch(random), loss=torch.tensor(2.0 + step, requires_grad=True))
    course = watch.history
    assert {len(values) for values in course.values()} == {4}
    assert course["step"] == [5, 10, 15, 20]
    assert course["loss"] == [4.0, 9.0, 14.0, 19.0]
    assert all(0.05 < share < 0.2 for share in course["rare_share"])
    assert all(4 < lift < 12 for lift in course["lift"])


def test_without_a_loss_the_history_has_the_cross_entropy():
    watch = _quick()
    _feed(watch, 5)
    random = np.random.default_rng(0)
    pairs = [_batch(random) for _ in range(5)]
    expected = np.mean([F.cross_entropy(*map(torch.from_numpy, pair)).item() for pair in pairs])
    assert watch.history["loss"] == [pytest.approx(expected, rel=1e-4)]


def _same(one, two):
    for key, values in one.items():
        assert values == pytest.approx(two[key], rel=1e-3), key


@pytest.mark.parametrize(
    "form",
    [
        "torch",
        "cuda-like bfloat16",
        "channels last",
        "one hot",
        "one channel",
        "flat",
        "softmax",
        "sigmoid",
        "axis 1",
    ],
)
def test_every_form_gives_the_same_numbers(form):
    one, two = _quick(), _quick()
    random = np.random.default_rng(0)
    for _ in range(5):
        logits, labels = _batch(random)
        logits = torch.from_numpy(logits).bfloat16().float().numpy()
        one.update(logits, labels)
        two.update(*_written(form, logits, labels))
    _same(one.history, two.history)


def _written(form, logits, labels):
    single = logits[:, 1] - logits[:, 0]
    chance = torch.sigmoid(torch.from_numpy(single)).numpy()
    return {
        "torch": lambda: (torch.tensor(logits, requires_grad=True), torch.from_numpy(labels)),
        "cuda-like bfloat16": lambda: (
            torch.tensor(logits, requires_grad=True).bfloat16(),
            torch.from_numpy(labels),
        ),
        "channels last": lambda: (np.moveaxis(logits, 1, 3), labels[..., None].astype(np.float32)),
        "one hot": lambda: (logits, np.moveaxis(np.eye(2)[labels], 3, 1)),
        "one channel": lambda: (single[:, None], labels[:, None].astype(bool)),
        "flat": lambda: (single, labels),
        "softmax": lambda: (np.stack([1 - chance, chance], 1), labels),
        "sigmoid": lambda: (chance[:, None], labels[:, None]),
        "axis 1": lambda: (torch.from_numpy(logits).to(memory_format=torch.channels_last), labels[:, None]),
    }[form]()


def test_jax_arrays_give_the_same_numbers():
    jax = pytest.importorskip("jax", reason="jax is not installed")
    one, two = _quick(), _quick()
    random = np.random.default_rng(0)
    for _ in range(5):
        logits, labels = _batch(random)
        one.update(logits, labels)
        two.update(jax.numpy.asarray(logits), jax.numpy.asarray(labels))
    _same(one.history, two.history)


def test_classes_that_overlap_are_told_by_their_labels():
    watch = CollapseWatch(["road", "wet"], every=3)
    random = np.random.default_rng(0)
    for _ in range(3):
        labels = random.random((2, 2, 40, 30)) < 0.2
        watch.update(random.normal(size=labels.shape) + 6 * labels - 3, labels)
    assert watch.verdict().state == "healthy"
    assert watch.history["prevalence"][0] == pytest.approx(0.2, abs=0.02)
    assert watch.history["rare_share"][0] == pytest.approx(0.2, abs=0.02)


def test_logits_that_look_like_probabilities_once_are_logits_from_their_first_other_value_on():
    watch = CollapseWatch(every=4)
    random = np.random.default_rng(0)
    for step in range(4):
        labels = random.random(SHAPE) < 0.2
        watch.update(labels * 0.4 + 0.1 if step == 0 else labels * 8.0 - 4, labels)
    assert watch.history["rare_share"][0] == pytest.approx((0.2 * 3 + 1) / 4, abs=0.03)


def test_neither_torch_s_nor_numpy_s_chance_is_touched():
    np.random.seed(3)  # noqa: NPY002 - what is tested
    torch.manual_seed(3)
    states = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    watch = _quick()
    random = np.random.default_rng(0)
    for _ in range(6):
        logits, labels = _batch(random)
        watch.update(torch.from_numpy(logits), torch.from_numpy(labels))
    np.testing.assert_array_equal(np.random.get_state()[1], states[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[1])


def test_arrays_stay_as_they_were():
    logits, labels = _batch(np.random.default_rng(0))
    before = logits.copy(), labels.copy()
    _quick().update(logits, labels)
    np.testing.assert_array_equal(logits, before[0])
    np.testing.assert_array_equal(labels, before[1])


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"every": 0}, "every=0"), ({"patience": 0}, "patience=0"), ({"activation": "relu"}, "relu")],
)
def test_settings_out_of_range_are_refused(settings, said):
    with pytest.raises(SettingError, match=said):
        CollapseWatch(**settings)


def test_names_must_fit_the_channels():
    logits, labels = _batch(np.random.default_rng(0))
    with pytest.raises(SettingError, match="got 2 channels"):
        CollapseWatch(["a", "b", "c"]).update(logits, labels)
    single = CollapseWatch(["ground", "road"], every=1)
    single.update(logits[:, 1:], labels)
    assert '"road"' in single.verdict().reason


def test_another_layout_in_the_middle_is_refused():
    watch = _quick()
    logits, labels = _batch(np.random.default_rng(0))
    watch.update(logits, labels)
    watch.update(logits[:1, :, :8], labels[:1, :8])
    with pytest.raises(SettingError, match="lie as before"):
        watch.update(logits[:, :1], labels)


def test_an_empty_batch_is_passed_over():
    watch = _quick(every=1)
    assert watch.update(np.zeros((0, 2, 8, 9), np.float32), np.zeros((0, 8, 9), int)) is None
    assert watch.verdict().step == 0


def test_it_tells_how_it_stands():
    watch = CollapseWatch(["ground", "<road>"], every=5)
    _feed(watch, 30, strength=0.0)
    assert "Not learning" in str(watch)
    assert "not learning after 30 updates, 1 notices" in repr(watch)
    page = watch._repr_html_()
    assert "<road>" not in page
    assert "&lt;road&gt;" in page
    assert len(re.findall("<tr>", page)) == 7


class _Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()
        )
        self.head = nn.Conv2d(8, 2, 1)
        nn.init.zeros_(self.head.weight)
        with torch.no_grad():
            self.head.bias.copy_(torch.tensor([0.97, 0.03]).log())

    def forward(self, images):
        return self.head(self.body(images))


def _trained(seed, rate, updates):
    """Train on squares that cover 3 %, and return what was told."""
    torch.manual_seed(seed)
    random = torch.Generator().manual_seed(seed)
    network, watch = _Net(), CollapseWatch(["ground", "square"], every=25)
    optimizer = torch.optim.Adam(network.parameters(), rate)
    for _ in range(updates):
        labels = torch.zeros(4, 32, 32, dtype=torch.long)
        for label in labels:
            row, col = torch.randint(26, (2,), generator=random)
            label[row : row + 6, col : col + 6] = 1
        images = torch.randn(4, 3, 32, 32, generator=random) + 1.5 * labels[:, None]
        logits = network(images)
        loss = F.cross_entropy(logits, labels)
        watch.update(logits, labels, loss)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return watch


def test_a_healthy_training_is_left_in_peace():
    watch = _trained(0, 1e-2, 100)
    assert watch.notices == ()
    assert watch.history["lift"][-1] > 10


def test_a_learning_rate_that_kills_the_units_is_told():
    watch = _trained(0, 3.0, 100)
    assert watch.notices[0].state in ("constant output", "not learning")
    assert watch.notices[0].step <= 100
