"""Networks under study: torch modules in a training set-up, and networks in files."""

from rareseg.network.subjects.bringing import subject_of_module
from rareseg.network.subjects.files import FileNetwork, answers_of_file
from rareseg.network.subjects.module import TorchSubject

__all__ = ["FileNetwork", "TorchSubject", "answers_of_file", "subject_of_module"]
