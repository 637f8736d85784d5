"""ONNX files: what they answer, and what is refused before it runs."""

import sys

import numpy as np
import pytest

from rareseg.doors.onnx import open_onnx
from rareseg.errors import DataError, MissingPackageError, SettingError, WeightsError

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

WEIGHTS = np.array([[1.0, 0, 2], [0, -1, 0]], np.float32).reshape(2, 3, 1, 1)


@pytest.fixture
def write(tmp_path):
    """Write a model of one 1x1 convolution, 3 bands to 2 classes."""

    def written(
        name="model.onnx", *, shape=("n", 3, "h", "w"), location=None, inputs=1, dtype=TensorProto.FLOAT
    ):
        weights = numpy_helper.from_array(WEIGHTS, "weights")
        if location is not None:
            weights.ClearField("raw_data")
            weights.data_location = TensorProto.EXTERNAL
            for key, value in (("location", location), ("offset", "0"), ("length", str(WEIGHTS.nbytes))):
                weights.external_data.add(key=key, value=value)
        nodes = [
            helper.make_node("Cast", ["x0"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("Conv", ["floats", "weights"], ["maps"]),
        ]
        given = [helper.make_tensor_value_info(f"x{index}", dtype, shape) for index in range(inputs)]
        maps = [helper.make_tensor_value_info("maps", TensorProto.FLOAT, [shape[0], 2, *shape[2:]])]
        graph = helper.make_graph(nodes, "g", given, maps, [weights])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        path = tmp_path / "folder" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(model.SerializeToString())
        return path

    return written


def images(count=2, rows=5, cols=4):
    return np.random.default_rng(0).random((count, 3, rows, cols)).astype(np.float32)


def expected(fed):
    return np.einsum("kc,nchw->nkhw", WEIGHTS[:, :, 0, 0], fed)


def test_answers_are_those_of_the_network(write):
    model = open_onnx(write(), threads=1)
    assert model.input_shape == (None, 3, None, None)
    answers = model(images())
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, expected(images()), rtol=1e-5)


def test_a_fixed_batch_is_fed_one_by_one(write):
    model = open_onnx(write(shape=(1, 3, 5, 4)))
    assert model.input_shape == (1, 3, 5, 4)
    np.testing.assert_allclose(model(images(3)), expected(images(3)), rtol=1e-5)


def test_images_are_fed_in_the_type_that_the_model_takes(write):
    model = open_onnx(write(dtype=TensorProto.UINT8))
    fed = np.arange(60, dtype=np.float32).reshape(1, 3, 5, 4)
    np.testing.assert_allclose(model(fed), expected(fed), rtol=1e-5)


def test_images_that_do_not_fit_are_refused_in_words(write):
    model = open_onnx(write(shape=("n", 3, 5, 4)))
    with pytest.raises(
        SettingError, match=r"takes \(any, 3, 5, 4\) and refused images of shape \(2, 3, 9, 4\)"
    ):
        model(images(rows=9))


def test_weights_beside_the_model_are_read(write, tmp_path):
    path = write(location="weights.bin")
    (tmp_path / "folder" / "weights.bin").write_bytes(WEIGHTS.tobytes())
    np.testing.assert_allclose(open_onnx(path)(images()), expected(images()), rtol=1e-5)


@pytest.mark.parametrize("where", ["../secret.bin", "absolute", "link.bin", "sub/../../secret.bin"])
def test_weights_outside_the_folder_are_refused(write, tmp_path, where):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(WEIGHTS.tobytes())
    path = write(location=str(secret) if where == "absolute" else where)
    if where == "link.bin":
        (tmp_path / "folder" / "link.bin").symlink_to(secret)
    with pytest.raises(DataError, match="outside its folder"):
        open_onnx(path)


def test_weights_outside_the_folder_are_refused_in_subgraphs_too(write, tmp_path):
    (tmp_path / "secret.bin").write_bytes(WEIGHTS.tobytes())
    path = write()
    model = onnx.load_model(str(path))
    hidden = numpy_helper.from_array(WEIGHTS, "hidden")
    hidden.ClearField("raw_data")
    hidden.data_location = TensorProto.EXTERNAL
    hidden.external_data.add(key="location", value="../secret.bin")
    inner = helper.make_graph([helper.make_node("Identity", ["hidden"], ["out"])], "inner", [], [], [hidden])
    model.graph.node.append(helper.make_node("If", ["flag"], ["out"], then_branch=inner, else_branch=inner))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match="outside its folder"):
        open_onnx(path)


def test_missing_files_are_named(write, tmp_path):
    with pytest.raises(WeightsError, match=r"'gone\.bin', which is not in"):
        open_onnx(write(location="gone.bin"))
    with pytest.raises(WeightsError, match="is not there"):
        open_onnx(tmp_path / "none.onnx")


@pytest.mark.parametrize("content", [b"", b"no onnx at all", b"\x80\x04pickled", b"PK\x03\x04zip"])
def test_other_files_are_no_onnx(tmp_path, content):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is no ONNX file"):
        open_onnx(path)


def test_models_of_other_things_are_refused(write):
    with pytest.raises(DataError, match="expected a model of one input"):
        open_onnx(write(inputs=2))
    path = write()
    model = onnx.load_model(str(path))
    model.graph.node[0].op_type = "OfMyOwn"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match="does not open it"):
        open_onnx(path)


@pytest.mark.parametrize("package", ["onnxruntime", "onnx"])
def test_a_missing_package_is_named_with_its_install_line(write, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError, match=rf"need {package},.*pip install 'rareseg\[onnx\]'"):
        open_onnx(write())
