"""Networks in files answer as they did in memory, and no file runs code of its own."""

import io
import json
import pickle
import warnings
import zipfile

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from safetensors.torch import save_file
from tests.network.subjects.conftest import Net
from torch import nn
from torch.nn import functional

from rareseg.errors import DataError, RecordError, WeightsError
from rareseg.network.subjects import answers_of_file
from rareseg.probing.subject import ProbeError


class Varied(nn.Module):
    """Branches, sizes read at run time, several operations with texts and lists among their arguments."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.net = Net()
        self.up = nn.ConvTranspose2d(3, 3, 2, 2)
        self.register_buffer("scale", torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1), persistent=False)

    def forward(self, images):
        features = self.net.relu(self.net.norm(self.net.stem(images)))
        small = functional.max_pool2d(functional.gelu(self.net.body(features), approximate="tanh"), 2)
        first, second = self.net.head(small).mul(self.scale).split([1, 2], dim=1)
        joined = torch.cat(
            [first, functional.pad(second, (1, 1, 1, 1), mode="replicate")[..., 1:-1, 1:-1]], 1
        )
        large = functional.interpolate(self.up(joined), size=images.shape[2:], mode="bilinear")
        return {"out": large.to(torch.float32), "aux": joined}


IMAGES = np.random.default_rng(0).random((3, 3, 16, 12), np.float32)


@pytest.fixture(scope="module")
def varied():
    return Varied().eval()


def _truth(net, images=IMAGES):
    with torch.no_grad():
        output = net(torch.from_numpy(images))
    return (output["out"] if isinstance(output, dict) else output).numpy()


def _export(net, path, images=IMAGES, *, dynamic=True):
    some, rows, cols = torch.export.Dim("some"), torch.export.Dim("rows"), torch.export.Dim("cols")
    shapes = ({0: some, 2: 4 * rows, 3: 4 * cols},) if dynamic else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(net, (torch.from_numpy(images),), dynamic_shapes=shapes)
        torch.export.save(program, path)
    return path


def _script(net, path, *, traced=False):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = (
            torch.jit.trace(net, torch.from_numpy(IMAGES), strict=False) if traced else torch.jit.script(net)
        )
        torch.jit.save(made, path)
    return path


@pytest.fixture(scope="module")
def exported(varied, tmp_path_factory):
    return _export(varied, tmp_path_factory.mktemp("exported") / "model.pt2")


def test_an_exported_network_answers_as_in_memory(varied, exported):
    answer = answers_of_file(exported)
    np.testing.assert_allclose(answer(IMAGES), _truth(varied), atol=1e-6)
    other = np.ascontiguousarray(np.concatenate([IMAGES, IMAGES])[:, :, :8, :8])
    found = answer(other)
    np.testing.assert_allclose(found, _truth(varied, other), atol=1e-6)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(answer(other), found)


@pytest.mark.parametrize("count", [1, 3, 4])
def test_a_network_exported_for_one_size(varied, tmp_path, count):
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = varied

        def forward(self, images):
            # The exported graph holds the number of images as it was.
            return self.inner(images.flatten().reshape(images.shape))

    answer = answers_of_file(_export(Fixed().eval(), tmp_path / "model.pt2", dynamic=False))
    images = np.concatenate([IMAGES, IMAGES[::-1]])[:count]
    np.testing.assert_allclose(answer(images), _truth(varied, images), atol=1e-6)
    with pytest.raises(DataError, match="expected images of 3 x 16 x 12.*got 3 x 8 x 12"):
        answer(IMAGES[:, :, :8])


def test_an_exported_network_of_smp(tmp_path):
    net = smp.Unet(
        "resnet18", encoder_depth=3, encoder_weights=None, decoder_channels=(16, 8, 8), classes=2
    ).eval()
    images = np.random.default_rng(1).random((1, 3, 64, 64), np.float32)
    answer = answers_of_file(_export(net, tmp_path / "unet.pt2", images, dynamic=False))
    np.testing.assert_allclose(answer(images), _truth(net, images), atol=1e-5)


def test_a_network_exported_in_training_mode_keeps_its_statistics(tmp_path):
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm2d(3)
            self.register_buffer("passes", torch.zeros(()))

        def forward(self, images):
            self.passes.add_(1)
            return self.norm(images) * self.passes

    net = Counting().train()
    answer = answers_of_file(_export(net, tmp_path / "model.pt2"))
    np.testing.assert_array_equal(answer(IMAGES), answer(IMAGES))


@pytest.mark.parametrize("traced", [False, True])
def test_torchscript_answers_as_in_memory(tmp_path, traced):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(4, 2, 1),
    ).eval()
    answer = answers_of_file(_script(net, tmp_path / "model.pt", traced=traced))
    np.testing.assert_allclose(answer(IMAGES), _truth(net), atol=1e-6)


def test_torchscript_with_a_dictionary_and_one_channel(varied, tmp_path):
    answer = answers_of_file(_script(varied, tmp_path / "model.pt", traced=True))
    np.testing.assert_allclose(answer(IMAGES), _truth(varied), atol=1e-6)
    net = nn.Sequential(nn.Conv2d(3, 1, 1), nn.Flatten(1, 2)).eval()
    assert answers_of_file(_script(net, tmp_path / "flat.pt"))(IMAGES).shape == (3, 1, 16, 12)


def test_what_a_network_raises_is_said(exported, tmp_path):
    with pytest.raises(ProbeError, match="the network raised"):
        answers_of_file(_script(nn.Conv2d(3, 2, 1).eval(), tmp_path / "m.pt"))(IMAGES[:, :2])
    with pytest.raises(DataError, match="3 x any x any"):
        answers_of_file(exported)(IMAGES[:, :2])


def test_a_run_answers_probabilities(roads_run):
    photos = np.random.default_rng(0).integers(0, 256, (2, 3, 40, 48)).astype(np.float32)
    answers = answers_of_file(roads_run)(photos)
    assert answers.shape == (2, 2, 40, 48) and answers.dtype == np.float32
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)


# What files must not do.


class Bomb:
    """Runs code when unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("code from the file was run",))


class Saving(nn.Module):
    def forward(self, images):
        torch.save(images, "stolen.pt")
        return images


class Mapping(nn.Module):
    def forward(self, images):
        return images + torch.from_file("stolen.bin", True, 4, dtype=torch.float32)[0]


def _as(change, source, path):
    """Write a copy of an archive whose members `change` has rewritten."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return path


def test_checkpoints_are_refused_and_never_run(tmp_path):
    for legacy in (False, True):
        path = tmp_path / f"model{legacy}.pth"
        torch.save(Bomb(), path, _use_new_zipfile_serialization=not legacy)
        with pytest.raises(WeightsError, match=r"pickle.*torch\.export\.save"):
            answers_of_file(path)


@pytest.mark.parametrize("net", [Saving(), Mapping()], ids=["save", "from_file"])
def test_torchscript_that_touches_files_is_refused(net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = _script(net, tmp_path / "model.pt")
    with pytest.raises(WeightsError, match="reach files"):
        answers_of_file(path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["model.pt"]


@pytest.mark.parametrize(
    "line",
    [
        'torch.save(images, "x y")',
        'getattr(torch, "save")(images, "x")',
        'getattr(torch, "sa" "ve")(images, "x")',
        'getattr(torch, "sa\\166e")(images, "x")',
        "getattr(torch, 'save')(images, \"x\")",
        "'\"'; torch.save(images, '\"')",
        '"""\n    torch.save(images)\n    """',
        'x = "a" # "\n    torch.save(images, "b")',
        "torch . classes.dist_c10d.Store()",
        "torch.\\\n    save(images)",
        "ops.c10d.barrier()",
        "o = ops",
        "ops.prim.rpc_sync(images)",
    ],
)
def test_names_cannot_be_hidden_in_torchscript(line, tmp_path):
    class Same(nn.Module):
        def forward(self, images):
            return images + 1

    def change(name, content):
        if name.endswith("__torch__.py") or "/code/" in name and name.endswith(".py"):
            return content.replace(b"    return", f"    {line}\n    return".encode(), 1)
        return content

    good = _script(Same(), tmp_path / "good.pt")
    assert answers_of_file(good)(IMAGES).shape == IMAGES.shape
    with pytest.raises(WeightsError, match="reach files"):
        answers_of_file(_as(change, good, tmp_path / "bad.pt"))


def test_ordinary_words_in_messages_do_not_matter(tmp_path):
    class Checked(nn.Module):
        def forward(self, images):
            if images.ndim != 4:
                message = "cannot save this: it isn't an image # really"
                raise ValueError(message)
            return images + 1

    assert answers_of_file(_script(Checked(), tmp_path / "model.pt"))(IMAGES).shape == IMAGES.shape


def _program(change):
    """Return a change of an exported archive: of its graph."""

    def rewritten(name, content):
        if not name.endswith("models/model.json"):
            return content
        program = json.loads(content)
        change(program)
        return json.dumps(program).encode()

    return rewritten


def _set_target(target):
    def change(program):
        program["graph_module"]["graph"]["nodes"][0]["target"] = target

    return _program(change)


@pytest.mark.parametrize(
    "target",
    [
        "torch.os.system",
        "torch.hub.load",
        "torch.load",
        "_operator.attrgetter",
        "torch.ops.aten.from_file.default",
        "torch.ops.aten.__class__.default",
        "torch.ops.c10d.barrier.default",
        "torch.ops.higher_order.cond",
        "builtins.eval",
    ],
)
def test_exported_graphs_do_only_torchs_own_operations(target, exported, tmp_path):
    with pytest.raises(WeightsError, match="expected a network as torch.export"):
        answers_of_file(_as(_set_target(target), exported, tmp_path / "bad.pt2"))


def test_nothing_of_an_exported_file_is_evaluated(exported, tmp_path, varied):
    """Guards, size expressions, tree specifications and pickles beside the graph are never looked at."""

    def change(name, content):
        if name.endswith("models/model.json"):
            program = json.loads(content)
            program["guards_code"] = ["__import__('pytest').fail('run')"]
            program["range_constraints"] = {"__import__('pytest').fail('run')": {"min_val": 1, "max_val": 9}}
            for meta in program["graph_module"]["graph"]["tensor_values"].values():
                for size in meta["sizes"]:
                    if "as_expr" in size:
                        size["as_expr"]["expr_str"] = "__import__('pytest').fail('run')"
            return json.dumps(program).encode()
        if "sample_inputs" in name:
            stream = io.BytesIO()
            torch.save(Bomb(), stream)
            return stream.getvalue()
        return content

    answer = answers_of_file(_as(change, exported, tmp_path / "evil.pt2"))
    np.testing.assert_allclose(answer(IMAGES), _truth(varied), atol=1e-6)


def test_pickled_weights_in_an_exported_file_are_refused(exported, tmp_path):
    def change(name, content):
        if name.endswith("weights_config.json"):
            config = json.loads(content)
            next(iter(config["config"].values()))["use_pickle"] = True
            return json.dumps(config).encode()
        return pickle.dumps(Bomb()) if name.endswith("weight_0") else content

    with pytest.raises(WeightsError, match="stored as a pickle"):
        answers_of_file(_as(change, exported, tmp_path / "bad.pt2"))


def test_weights_outside_their_bytes_are_refused(exported, tmp_path):
    def change(name, content):
        if name.endswith("weights_config.json"):
            return content.replace(
                b'"storage_offset": {"as_int": 0}', b'"storage_offset": {"as_int": 999999}'
            )
        return content

    with pytest.raises(WeightsError, match="does not follow the format"):
        answers_of_file(_as(change, exported, tmp_path / "bad.pt2"))


def test_an_archive_that_can_be_read_in_two_ways_is_refused(exported, tmp_path):
    path = _as(lambda _, content: content, exported, tmp_path / "twice.pt2")
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("model/models/model.json", b"{}")
    with pytest.raises(WeightsError, match="each name once"):
        answers_of_file(path)


def test_damaged_and_other_files_are_refused(exported, tmp_path):
    def missing(name, content):
        return b"{}" if name.endswith("models/model.json") else content

    with pytest.raises(WeightsError, match="KeyError"):
        answers_of_file(_as(missing, exported, tmp_path / "empty.pt2"))
    (tmp_path / "cut.pt2").write_bytes(exported.read_bytes()[:2000])
    (tmp_path / "text.pt").write_text("no network")
    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors")
    with zipfile.ZipFile(tmp_path / "old.pt2", "w") as archive:
        archive.writestr("serialized_exported_program.json", "{}")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a/b", "{}")
    for name, message in (
        ("cut.pt2", "it is none"),
        ("text.pt", "it is none"),
        ("w.safetensors", "holds weights, but not the network"),
        ("old.pt2", "before 2.8"),
        ("other.zip", "it is none"),
        ("nothing.pt", "there is none"),
    ):
        with pytest.raises(WeightsError, match=message):
            answers_of_file(tmp_path / name)
    with pytest.raises(RecordError, match="run.json is missing"):
        answers_of_file(tmp_path)
