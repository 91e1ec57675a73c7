"""Joules from counters of the machine, which begin again, or that nobody may read."""

from pathlib import Path

import pytest

from pipelines.core import energy


def zone(root: Path, number: str, name: str, microjoules: int, period: int = 1_000_000) -> Path:
    folder = root / f"intel-rapl:{number}"
    folder.mkdir()
    (folder / "name").write_text(f"{name}\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text(f"{period}\n")
    return folder / "energy_uj"


def test_sockets_are_added_up_and_counters_begin_again(tmp_path: Path) -> None:
    first, second = zone(tmp_path, "0", "package-0", 900_000), zone(tmp_path, "1", "package-1", 0)
    core = zone(tmp_path, "0:0", "core", 0)
    with energy.measuring({"use_cpu": True}, tmp_path) as meter:
        first.write_text("100000")
        meter.update()
        first.write_text("300000")
        second.write_text("500000")
        core.write_text("999999")
    assert meter.joules == pytest.approx(0.4 + 0.5)


def test_without_counters_there_is_no_number(tmp_path: Path) -> None:
    with energy.measuring({"use_cpu": True}, tmp_path) as meter:
        pass
    assert meter.joules is None


def test_a_counter_that_fails_or_is_none_gives_no_number(tmp_path: Path) -> None:
    path = zone(tmp_path, "0", "package-0", 0)
    with energy.measuring({"use_cpu": True}, tmp_path) as meter:
        path.unlink()
    assert meter.joules is None
    with energy.measuring({"use_cpu": True}, tmp_path) as meter:  # only root may read it
        pass
    assert meter.joules is None


def test_joules_are_written_as_watt_hours() -> None:
    assert energy.watt_hours(4500) == "1.25 Wh"
