"""The tables of `gpu.py`, as Markdown."""

import statistics
from collections.abc import Iterator
from typing import Any

# FLOP/s of dense bf16 products, from the data sheets; the first name that fits counts
PEAKS = {
    "B200": 2250e12,
    "H200": 989.4e12,
    "H100 PCIe": 756e12,
    "H100": 989.4e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10": 125e12,
    "RTX 4090": 165.2e12,
}
MIB = 2**20
Results = dict[str, Any]


def text(results: Results) -> str:
    """Write everything that there is so far."""
    return "\n".join(_lines(results)) + "\n"


def peak(device: dict[str, Any]) -> tuple[float, str]:
    """Return the FLOP/s that MFU is a share of, and where they come from."""
    for name, flops in PEAKS.items():
        if name in device["name"]:
            return flops, "data sheet, dense bf16"
    return max(device["products"].values()), "the fastest product measured here"


def _lines(results: Results) -> Iterator[str]:
    device = results["device"]
    flops, source = peak(device)
    products = device["products"].items()
    measured = ", ".join(f"{name} {each / 1e12:.3g}" for name, each in products)
    yield f"{device['name']}, torch {device['torch']}. A large product of matrices reaches, in"
    yield f"TFLOP/s: {measured}. MFU is a share of {flops / 1e12:.3g} ({source}): three forward"
    yield "passes over positions that are no padding, for each example. Ratios are to the first arm"
    yield "in the same round: median, lowest and highest. Steps are timed after the first ones;"
    yield "`whole` is the process with its set-up, evaluation and saving, without imports."
    for name, part in results["parts"].items():
        yield f"\n### {part['caption']}\n"
        if name in results["not_run"]:
            yield f"Not run: {results['not_run'][name]}."
        elif name == "memory":
            yield from _memory(part["arms"])
        else:
            yield from _steps(part["arms"], results, flops)
            yield from _losses(name, part["arms"])


def _steps(arms: dict[str, Any], results: Results, flops: float) -> Iterator[str]:
    names = ("arm", "ratio", "lowest - highest", "examples/s", "step, ms", "MFU", "of the product")
    names = (*names, "peak GB", "waiting", "whole, s", "loss")
    yield f"| {' | '.join(names)} |"
    yield f"|---|{'---:|' * (len(names) - 1)}"
    for name, lines in arms.items():
        yield _row(name, lines, arms, results, flops)


def _row(name: str, lines: list[Any], arms: dict[str, Any], results: Results, flops: float) -> str:
    """Write one arm."""
    done = [line for line in lines if "whole" in line]
    if not done:
        return f"| {name} | not run: {lines[0]['reason']} | | | | | | | | | |"
    first = [line for line in next(iter(arms.values())) if "whole" in line]
    rates = [line["samples_per_second"] for line in done]
    ratios = [rate / other["samples_per_second"] for rate, other in zip(rates, first, strict=False)]
    rate, line = statistics.median(rates), done[0]
    ratio, spread = "", ""
    if ratios:
        ratio = f"{statistics.median(ratios):.2f}"
        spread = f"{min(ratios):.2f} - {max(ratios):.2f}"
    share, of_product = "", ""
    if line["work"]:
        reached = rate * results["works"][line["work"]]["flops"]
        share = f"{reached / flops:.1%}"
        of_product = f"{reached / results['device']['products'][line['precision']]:.1%}"
    waiting = f"{line['waiting']:.1%}" if line.get("waiting") is not None else ""
    return (
        f"| {name} | {ratio} | {spread} | {rate:,.0f} | {line['step_ms']:.1f} | {share} | "
        f"{of_product} | {line['memory'] / 1e9:.2f} | {waiting} | {line['whole']:.1f} | "
        f"{line['loss']:.6f} |"
    )


def _losses(name: str, arms: dict[str, Any]) -> Iterator[str]:
    """Compare the losses of packed and padded steps."""
    if name != "packing":
        return
    losses = {arm: lines[0]["loss"] for arm, lines in arms.items() if "loss" in lines[0]}
    for precision in ("float32", "bf16"):
        padded, packed = (losses.get(f"{each}, {precision}") for each in ("padded", "packed"))
        if padded and packed:
            yield f"\nMean loss, {precision}: they differ by {abs(packed / padded - 1):.1e}."


def _memory(arms: dict[str, Any]) -> Iterator[str]:
    """Write estimates beside measurements."""
    yield "| step | estimated, MiB | measured, MiB | measured / estimated |"
    yield "|---|---:|---:|---:|"
    for name, lines in arms.items():
        line = lines[0]
        if "whole" not in line:
            yield f"| {name} | not run: {line['reason']} | | |"
            continue
        ratio = line["memory"] / line["estimate"]
        estimate, measured = line["estimate"] / MIB, line["memory"] / MIB
        yield f"| {name} | {estimate:,.0f} | {measured:,.0f} | {ratio:.2f} |"
