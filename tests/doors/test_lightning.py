import copy
import sys
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from rareseg.doors.lightning import CollapseWatch
from rareseg.errors import MissingPackageError, SettingError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    lightning = pytest.importorskip("lightning.pytorch", reason="lightning is not installed")

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:The number of training batches"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def _scenes(count, seed=0):
    random = torch.Generator().manual_seed(seed)
    labels = (torch.rand(count, 16, 16, generator=random) < 0.1).long()
    return torch.randn(count, 1, 16, 16, generator=random) + 4 * labels[:, None], labels


class _Module(lightning.LightningModule):
    def __init__(self, *, dead=False, returned="both"):
        super().__init__()
        self.returned = returned
        self.normalised = nn.BatchNorm2d(1)
        self.head = nn.Conv2d(1, 2, 1)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([0.0, 0.0 if dead else 2.0]).reshape(2, 1, 1, 1))

    def forward(self, images):
        return self.head(self.normalised(images))

    def training_step(self, batch, _index):
        images, labels = batch
        logits = self(images)
        loss = F.cross_entropy(logits, labels)
        return {
            "both": lambda: {"loss": loss, "logits": logits, "labels": labels},
            "logits": lambda: {"loss": loss, "logits": logits},
            "loss": lambda: loss,
        }[self.returned]()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.0)


def _fit(module, callback, steps=40):
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*_scenes(8)), batch_size=2)
    trainer = lightning.Trainer(
        max_steps=steps,
        accelerator="cpu",
        devices=1,
        callbacks=[callback],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, data)
    return trainer


@pytest.mark.parametrize("returned", ["both", "logits"])
def test_a_healthy_training_runs_to_its_end(returned):
    watch = CollapseWatch(["ground", "road"], every=4, stop=True)
    trainer = _fit(_Module(returned=returned), watch)
    assert trainer.global_step == 40
    assert watch.watch.notices == ()
    assert len(watch.watch.history["step"]) == 10
    assert watch.watch.verdict().state in ("healthy", "ranks well, threshold off")
    assert trainer.callback_metrics["collapse_watch/lift"] > 3


def test_a_dead_one_is_warned_of_and_stopped():
    watch = CollapseWatch(["ground", "road"], every=4, stop=True)
    with pytest.warns(UserWarning, match="rareseg: Step 12: Collapsed: constant output"):
        trainer = _fit(_Module(dead=True), watch)
    assert trainer.global_step == 12
    assert [notice.state for notice in watch.watch.notices] == ["constant output"]


def test_unasked_it_only_warns():
    watch = CollapseWatch(every=4)
    with pytest.warns(UserWarning, match="constant output"):
        assert _fit(_Module(dead=True), watch).global_step == 40


def test_a_probe_needs_nothing_from_the_training_step_and_leaves_the_network_as_it_was():
    images, labels = _scenes(6, seed=5)
    watch = CollapseWatch(probe=(images, labels), probe_every=2, every=8)
    module, plain = _Module(returned="loss"), _Module(returned="loss")
    plain.load_state_dict(module.state_dict())
    torch.manual_seed(1)
    _fit(module, watch)
    torch.manual_seed(1)
    _fit(plain, lightning.Callback())
    assert watch.watch.verdict().step == 20
    assert watch.watch.verdict().state in ("healthy", "ranks well, threshold off")
    for name, value in plain.state_dict().items():
        assert torch.equal(module.state_dict()[name], value), name


def test_the_probe_keeps_each_part_s_mode():
    images, labels = _scenes(6)
    watch = CollapseWatch(probe=(images, labels))
    module = _Module()
    module.train()
    module.normalised.eval()
    answers = watch._probed(None, module)
    assert not answers.requires_grad
    assert module.training
    assert not module.normalised.training


def test_a_training_step_without_answers_is_told_what_to_return():
    with pytest.raises(SettingError, match=r'"logits": logits.* got a dict with .loss.'):
        _fit(_Module(returned="loss"), CollapseWatch())


def test_it_is_a_callback_and_travels():
    watch = CollapseWatch(["ground", "road"], every=7)
    assert isinstance(watch, lightning.Callback)
    assert isinstance(watch, CollapseWatch)
    again = copy.deepcopy(watch)
    assert isinstance(again, lightning.Callback)
    assert repr(again.watch) == repr(watch.watch)


def test_processes_agree_when_their_window_closes():
    asked = []

    class Strategy:
        def reduce_boolean_decision(self, decision, all):
            asked.append((decision, all))
            return True

    class Trainer:
        world_size, should_stop, strategy = 2, False, Strategy()

    module, trainer = _Module(), Trainer()
    module.log = lambda *_values, **_settings: None
    watch = CollapseWatch(every=3, stop=True)
    images, labels = _scenes(2)
    for index in range(3):
        watch.on_train_batch_end(
            trainer, module, {"loss": 0.1, "logits": module(images), "labels": labels}, None, index
        )
        assert trainer.should_stop == (index == 2)
    assert asked == [(False, False)]


def test_without_lightning_the_install_line_is_said(monkeypatch):
    from rareseg.doors import lightning as door

    monkeypatch.setattr(door, "_PACKAGES", ("lightning_that_is_not.pytorch", "neither_is_this"))
    door._callback_class.cache_clear()
    try:
        with pytest.raises(MissingPackageError, match="pip install lightning"):
            CollapseWatch()
    finally:
        door._callback_class.cache_clear()


@pytest.mark.parametrize("settings", [{"probe_every": 0}, {"probe": (0, 0), "probe_every": 99}])
def test_a_probe_rarer_than_windows_is_refused(settings):
    with pytest.raises(SettingError, match="probe_every"):
        CollapseWatch(**settings)


def test_the_door_alone_loads_no_lightning():
    import subprocess

    code = (
        "import sys, rareseg.doors.lightning; sys.exit('lightning' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
