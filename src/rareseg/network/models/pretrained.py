"""ImageNet weights from a file or the hub, as safetensors only: a pickle can run code, so none is opened."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from torch import Tensor

from rareseg.errors import MissingPackageError, WeightsError
from rareseg.network.checkpoint import load_tensors

HUB_FILE = "model.safetensors"
_ELSE = (
    "Pass --encoder-weights FILE (model.encoder_weights) with a local safetensors file, or train from "
    "scratch with model.pretrained=false."
)


def optional_package(name: str) -> ModuleType:
    """Import a package of the `smp` extra, which takes seconds and which the default network does not need.

    Raises:
        MissingPackageError: with the install line.
    """
    try:
        return import_module(name)
    except ImportError as error:
        message = f'{name} is needed for this network and is not installed: pip install "rareseg[smp]"'
        raise MissingPackageError(message) from error


def weights_file(path: str) -> Path:
    """Check that a file of encoder weights is there and says it is safetensors.

    Raises:
        WeightsError: otherwise.
    """
    file = Path(path)
    if file.suffix != ".safetensors":
        message = (
            f"{path}: expected encoder weights as a .safetensors file. Other formats can run code when they "
            "are read and are never opened; convert it with safetensors.torch.save_file."
        )
        raise WeightsError(message)
    if not file.is_file():
        message = f"{path}: expected a safetensors file with encoder weights, but there is no such file."
        raise WeightsError(message)
    return file


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read named tensors from a safetensors file.

    Raises:
        WeightsError: if it is missing or malformed.
    """
    return load_tensors(weights_file(str(path)))


def fetch(repository: str, revision: str | None) -> Path:
    """Return the path of a Hugging Face repository's model.safetensors, from the cache or downloaded.

    Args:
        repository: Such as "smp-hub/vgg16.imagenet".
        revision: Commit, or None for the newest.

    Raises:
        MissingPackageError: if huggingface_hub is not installed.
        WeightsError: if the hub cannot be reached or has no such file; says how to go on.
    """
    hub = optional_package("huggingface_hub")
    try:
        return Path(hub.hf_hub_download(repository, filename=HUB_FILE, revision=revision))
    except (hub.errors.LocalEntryNotFoundError, hub.errors.OfflineModeIsEnabled) as error:
        message = (
            f"Cannot reach huggingface.co for the pretrained weights {repository}, and they are not in the "
            f"cache. Check the network. {_ELSE} The file to fetch: "
            f"https://huggingface.co/{repository} ({HUB_FILE})."
        )
        raise WeightsError(message) from error
    except (hub.errors.EntryNotFoundError, hub.errors.RepositoryNotFoundError) as error:
        raise WeightsError(not_published(repository)) from error
    except Exception as error:  # the client raises whatever its HTTP library does
        message = f"Cannot fetch the pretrained weights {repository} from huggingface.co ({error}). {_ELSE}"
        raise WeightsError(message) from error


def not_published(name: str) -> str:
    """Return the sentence for weights that exist as pickles only, or not at all."""
    return (
        f"No pretrained weights of {name} are published as {HUB_FILE}; pickled ones can run code and are "
        f"never opened. Choose another encoder. {_ELSE}"
    )
