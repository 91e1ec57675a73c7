"""What is chosen for the machine at hand: said, recorded, and overridden by the recipe."""

import pytest
import torch
import yaml
from grafting import prepare, write_recipe

from pipelines import recipe
from pipelines.core import hardware
from pipelines.workflow import run as pipeline

ON_CPU = {"use_cpu": True}


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, "AMX"),
        ({"avx512_bf16": True}, "AVX-512"),
        ({"avx512_f": True}, None),
    ],
)
def test_bfloat16_is_for_machines_that_multiply_it(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert hardware.bfloat16(ON_CPU) == expected
    assert hardware.defaults(ON_CPU) == ({"bf16": True} if expected else {})


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), False), ((8, 0), True)])
def test_old_gpus_compute_in_float32(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert bool(hardware.bfloat16({"use_cpu": False})) == expected


@pytest.mark.parametrize("given", [{"bf16": False}, {"bf16": True}, {"fp16": True}])
def test_what_the_recipe_says_wins(monkeypatch, given):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert hardware.defaults({**ON_CPU, **given}) == {}


@pytest.mark.parametrize(("cores", "processes", "expected"), [(2, 1, None), (8, 2, 3), (64, 1, 8)])
def test_loaders_get_the_cores_that_are_left(monkeypatch, cores, processes, expected):
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    chosen = hardware.defaults({**ON_CPU, "bf16": False}, decodes=True)
    assert chosen.get("dataloader_num_workers") == expected
    assert "dataloader_num_workers" not in hardware.defaults({**ON_CPU, "bf16": False})


@pytest.mark.slow
def test_a_run_says_and_records_what_it_chose(checkpoint, text_data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    path = write_recipe(tmp_path, checkpoint("bert"), text_data, training={"max_steps": 2})
    path.write_text(path.read_text().replace("bf16: false", ""))
    run = pipeline.run(recipe.load(path))
    assert "threads, bf16" in capsys.readouterr().out
    assert yaml.safe_load(run.recipe.read_text())["training"]["bf16"] is True


@pytest.mark.parametrize(("family", "expected"), [("resnet", True), ("vit", False)])
@pytest.mark.slow
def test_convolutional_networks_are_laid_out_channels_last(
    checkpoint, image_data, tmp_path, family, expected
):
    ready = prepare(tmp_path, checkpoint(family), image_data, task="image")
    kernels = [p for p in ready.checkpoint.model.parameters() if p.ndim == 4 and p.shape[-1] > 1]
    assert kernels
    last = {p.is_contiguous(memory_format=torch.channels_last) for p in kernels}
    assert (True in last) == expected
