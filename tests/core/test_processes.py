"""How processes agree, seen from one of them: what goes over the line is the test's own."""

import pytest
import torch
from torch import nn

from pipelines.core import processes


def test_a_process_gets_the_running_statistics_of_the_main_one(monkeypatch):
    """In place, whatever their order in memory; what is no statistic stays."""
    models = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    sent = []
    for model, value in zip(models, (1.0, 2.0), strict=True):
        model.running_mean.fill_(value)
        model.register_buffer("window", torch.full((2, 3), value).t())
        model.num_batches_tracked.fill_(int(value))
    monkeypatch.setattr(processes, "num_processes", lambda: 2)
    monkeypatch.setattr(torch.distributed, "broadcast", lambda tensor, src: sent.append(tensor))
    processes.share_buffers(models[0])
    assert all(tensor.is_contiguous() for tensor in sent)
    waiting, held = iter(sent), models[1].running_mean
    monkeypatch.setattr(
        torch.distributed, "broadcast", lambda tensor, src: tensor.copy_(next(waiting))
    )
    processes.share_buffers(models[1])
    assert models[1].running_mean is held
    assert held.tolist() == [1.0] * 3
    assert models[1].window.tolist() == [[1.0] * 2] * 3
    assert models[1].num_batches_tracked == 2


def test_a_single_process_has_nothing_to_share(monkeypatch):
    monkeypatch.setattr(torch.distributed, "broadcast", None)
    processes.share_buffers(nn.BatchNorm1d(2))


def test_a_temporary_folder_goes_away_with_what_is_in_it(tmp_path):
    def stopped():
        with processes.temporary_folder(tmp_path, "trial_") as folder:
            assert folder.parent == tmp_path
            (folder / "checkpoint-1").mkdir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert not [*tmp_path.iterdir()]


def test_another_process_uses_the_folder_of_the_main_one_and_leaves_it(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr("accelerate.utils.broadcast_object_list", lambda _: [str(tmp_path)])
    with processes.temporary_folder() as folder:
        assert folder == tmp_path
    assert tmp_path.is_dir()
