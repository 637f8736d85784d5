"""Memory that nobody has written yet holds anything: none of it may reach a value or a gradient."""

import numpy as np
import pytest
import torch
from tests.references.losses.cases import EACH, example, loss, size

SETTINGS = {"lovasz": [{}, {"per_image": True}], "dice": [{}, {"per_image": True}]}


@pytest.fixture
def poisoned():
    """New memory is filled with NaN."""
    before = torch.are_deterministic_algorithms_enabled(), torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = True
    yield
    torch.use_deterministic_algorithms(before[0])
    torch.utils.deterministic.fill_uninitialized_memory = before[1]


@pytest.mark.parametrize("labelled", ["as drawn", "nothing", "one image", "one class in one image"])
@pytest.mark.parametrize(("name", "kind"), EACH)
@pytest.mark.usefixtures("poisoned")
def test_memory_that_nobody_wrote_is_not_read(name, kind, labelled):
    logits, labels = example(kind, shape=size(name))
    if labelled != "as drawn":
        labels[0 if labelled == "nothing" else 1 :] = 255
    if labelled == "one class in one image":
        labels[0] = 0
    assert torch.isnan(torch.empty(3)).all()
    for settings in SETTINGS.get(name, [{}]):
        scores = logits.detach().float().requires_grad_()
        value = loss(name, kind, **settings)(scores, labels)
        value.backward()
        assert np.isfinite(value.item())
        assert scores.grad.isfinite().all()
