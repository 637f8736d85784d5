"""Zip archives of torch, read with care: what is checked is what is used."""

import io
import zipfile
from pathlib import Path
from typing import final

from rareseg.errors import WeightsError


@final
class Archive:
    """The members of a torch archive, named without its root folder."""

    def __init__(self, path: Path) -> None:
        """Open the archive.

        Raises:
            WeightsError: if it cannot be read, or holds a name twice, so that readers could differ about it.
        """
        self.where = str(path)
        try:
            # In memory: the file cannot change between check and use.
            self._zip = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
        except (zipfile.BadZipFile, OSError) as error:
            message = (
                f"{path}: expected a zip archive of torch, but it cannot be read ({error}). Save it again."
            )
            raise WeightsError(message) from error
        whole = self._zip.namelist()
        roots = {name.partition("/")[0] for name in whole}
        if len(set(whole)) != len(whole) or len(roots) != 1:
            message = (
                f"{path}: expected one folder with each name once, as torch writes it; the archive has {len(roots)} "
                f"folders and {len(whole) - len(set(whole))} repeated names. Save it again."
            )
            raise WeightsError(message)
        self._root = roots.pop()
        self.names = [name.partition("/")[2] for name in whole]

    def read(self, name: str) -> bytes:
        """Return a member.

        Raises:
            WeightsError: if there is no such member, or it is damaged.
        """
        try:
            return self._zip.read(f"{self._root}/{name}")
        except (KeyError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
            message = f"{self.where}: expected {name} inside, but it cannot be read ({error}). Save it again."
            raise WeightsError(message) from error

    def rewritten(self, without: tuple[str, ...] = ()) -> io.BytesIO:
        """Return a fresh archive of the same members as read here, without those that end in one of `without`.

        Another reader of the original could find other contents in a file that was made to be read in two ways.
        """
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as fresh:
            for name in self.names:
                if name and not name.endswith(("/", *without)):
                    fresh.writestr(f"{self._root}/{name}", self.read(name))
        stream.seek(0)
        return stream
