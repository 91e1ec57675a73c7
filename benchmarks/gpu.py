"""Everything that is to be known about one GPU, in one command of at most eight minutes.

    python benchmarks/gpu.py OUT [PART …] [--minutes 8] [--rounds 3] [--shared SHARED] [--small]

Graft beside the same work by Hugging Face's Trainer, with the defaults of the example scripts and
tuned: BERT-base, ViT-B/16, wav2vec2-base; packed and padded (equal losses), precisions, adapters,
compiled steps, data loaders, and the memory that `graft check` estimates beside what a step takes.

Nothing is downloaded: architectures have random weights, and data are drawn, unless SHARED has
`checkpoints/<name>` and `data/sst2`. Each arm is a process of its own, so nothing of one is left
for the next. A part that no longer fits into the time is named as not run; when all have run and
time is left, they run again, and ratios are paired within a round.

Writes `gpu.json` after each arm, and `gpu.md` with the tables, which it prints, too. `--small` has
tiny models and three steps, for a CPU: it shows that everything runs. The exit code is 1 if an arm
failed.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import gpu_table
from gpu_builder import Arm
from gpu_parts import PARTS, Part, Parts
from gpu_processes import ArmError, Processes

MIN_SHARE = 0.5  # of its limit that must be left for a part to begin
MAX_SHARE = 0.6  # of what is left of a part, for an arm before the last: others shall run, too
RESERVE = 5.0  # seconds for the last table


class Benchmark:
    """Runs parts until the time is up, and writes what there is after each arm."""

    def __init__(self, out: Path, seconds: float, processes: Processes) -> None:
        self._out, self._processes = out, processes
        self._end = time.monotonic() + seconds - RESERVE
        self.results: dict[str, Any] = {"device": {}, "works": {}, "parts": {}, "not_run": {}}

    @property
    def left(self) -> float:
        """Seconds until the time is up."""
        return self._end - time.monotonic()

    def prepare(self, folder: Path, shared: Path | None, small: bool) -> None:
        """Describe the device, and write checkpoints and data."""
        self.results["device"] = self._processes.run("device", {"small": small}, self.left)
        options = {"folder": str(folder), "shared": shared and str(shared), "small": small}
        works = self._processes.run("prepare", options, self.left)
        self.results["works"] = {k: v for k, v in works.items() if isinstance(v, dict)}

    def first_round(self, parts: dict[str, Part]) -> None:
        """Run each part once, as far as time allows."""
        for name, part in parts.items():
            self.results["parts"][name] = {"caption": part.caption, "arms": {}}
            if self.left < MIN_SHARE * part.seconds:
                reason = f"{max(0, self.left):.0f} s were left of {part.seconds:.0f}"
                self.results["not_run"][name] = reason
                continue
            limit = time.monotonic() + min(part.seconds, self.left)
            for arm in part.arms:
                left = limit - time.monotonic()
                self._run(name, arm, left if arm is part.arms[-1] else MAX_SHARE * left)
        self.write()

    def another_round(self, parts: dict[str, Part]) -> bool:
        """Run the parts again that fit into what is left; return whether any did."""
        has_run = False
        for name, part in parts.items():
            arms = self.results["parts"][name]["arms"]
            expected = sum(lines[0].get("wall", 0.0) for lines in arms.values())
            if not expected or 1.1 * expected > self.left or name == "memory":
                continue
            has_run = True
            for arm in part.arms:
                if "whole" in arms[arm.name][0]:
                    self._run(name, arm, self.left)
        self.write()
        return has_run

    def _run(self, part: str, arm: Arm, seconds: float) -> None:
        """Run an arm, and note what it gave, or why it gave nothing."""
        started = time.monotonic()
        reason = arm.obstacle(self.results["device"])
        if not reason and seconds < 1:
            reason = "the time of this part was up"
        if reason:
            line = {"reason": reason}
        else:
            try:
                line = self._processes.run(arm.function, arm.options, seconds)
            except ArmError as error:
                line = {"reason": str(error), "failed": True}
        line |= {"work": arm.work, "precision": arm.precision}
        line["wall"] = time.monotonic() - started
        self.results["parts"][part]["arms"].setdefault(arm.name, []).append(line)
        shown = line.get("reason") or f"{line['wall']:.1f} s"
        print(f"  {part}, {arm.name}: {shown}", file=sys.stderr, flush=True)
        self.write()

    def write(self) -> None:
        """Write gpu.json and gpu.md."""
        self._out.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.results, indent=1)
        (self._out / "gpu.json").write_text(text, encoding="utf-8")
        (self._out / "gpu.md").write_text(gpu_table.text(self.results), encoding="utf-8")

    @property
    def has_failed(self) -> bool:
        """Whether an arm ended in an error, or took too long."""
        parts = self.results["parts"].values()
        arms = [line for part in parts for lines in part["arms"].values() for line in lines]
        return any(line.get("failed") for line in arms)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="a folder for gpu.json and gpu.md")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART")
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3, help="at most so many, if time is left")
    parser.add_argument("--shared", type=lambda text: Path(text).resolve())
    parser.add_argument("--small", action="store_true", help="three steps of tiny models")
    return parser.parse_intermixed_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run what fits into the time, print the tables, return the exit code."""
    parsed = parse(arguments)
    with tempfile.TemporaryDirectory(prefix="graft-gpu-") as temporary:
        folder = Path(temporary)
        cores = os.cpu_count() or 1
        # libraries of the next arm load while this one runs, where there are cores enough
        with Processes(folder, ahead=not parsed.small and cores >= 8) as processes:
            benchmark = Benchmark(parsed.out, 60 * parsed.minutes, processes)
            try:
                benchmark.prepare(folder, parsed.shared, parsed.small)
            except ArmError as error:
                print(f"error: device, checkpoints and data: {error}", file=sys.stderr)
                return 1
            precisions = benchmark.results["device"]["products"]
            parts = Parts(benchmark.results["works"], small=parsed.small, precisions=precisions)
            chosen = {k: v for k, v in parts.all().items() if k in (parsed.parts or PARTS)}
            benchmark.first_round(chosen)
            for _ in range(parsed.rounds - 1):
                if not benchmark.another_round(chosen):
                    break
    print(gpu_table.text(benchmark.results))
    return int(benchmark.has_failed)


if __name__ == "__main__":
    sys.exit(main())
