import pytest

from rareseg.errors import DataError, SettingError
from rareseg.imagery.formats import check_writable, format_of, unusable


@pytest.mark.parametrize(
    ("head", "name"),
    [(b"\xff\xd8\xff\xe0", "JPEG"), (b"II*\x00", "GTiff"), (b"MM\x00*", "GTiff"), (b"II+\x00", "GTiff")],
)
def test_formats_are_told_by_their_first_bytes(tmp_path, head, name):
    path = tmp_path / "anything.bin"
    path.write_bytes(head + bytes(20))
    assert format_of(path) == name


def test_a_png_without_end_is_truncated(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(30))
    with pytest.raises(DataError, match="the PNG stops before its IEND chunk"):
        format_of(path)


def test_the_error_for_one_file_names_it_and_the_reason(tmp_path):
    error = unusable(tmp_path / "a.png", "is odd")
    assert error.problems[0].reason == "is odd"
    assert "a.png: is odd" in str(error)


def test_jpeg_is_not_written(tmp_path):
    check_writable(tmp_path / "a.TIF", 7, "float32")
    with pytest.raises(SettingError, match="not as no ending"):
        check_writable(tmp_path / "a", 1, "uint8")
    with pytest.raises(SettingError, match="not 4 of uint8"):
        check_writable(tmp_path / "a.png", 4, "uint8")
