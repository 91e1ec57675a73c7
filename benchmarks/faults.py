"""Runs that are stopped at any moment: do they go on, to the same bits?

    python benchmarks/faults.py RESULTS [CAMPAIGN …] [--count N] [--seed S] [--minutes M]
        [--job TEXT] [--folder F] [--show]

An attempt draws a job (`fault_jobs.py`) and disturbs it: a signal at a random moment, a full disk,
too little memory, two processes that resume the same run. Then it goes on as Graft says. It has
recovered if it finishes; bit-equal if weights and predictions are those of a run that nothing
disturbed; otherwise it is lost, for a reason that is printed. `--seed S --count 1` repeats an
attempt, though not to the microsecond. An attempt is a line of RESULTS, and is not repeated: a
killed benchmark goes on. A further campaign is a function in CAMPAIGNS.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

import fault_campaigns
import isolated
import resumable
from fault_attempt import Attempt, LostError, fresh_caches
from fault_jobs import JOBS, FaultJob
from isolated import Limits

# campaign -> what disturbs one attempt, and how many attempts there should be
CAMPAIGNS = {
    "kills": (fault_campaigns.kill, 300),
    "disks": (fault_campaigns.fill_disk, 60),
    "memory": (fault_campaigns.limit_memory, 40),
    "doubles": (fault_campaigns.resume_twice, 40),
}


def reference(job: FaultJob, folder: Path) -> dict[str, Any]:
    """Return the result of a job that nothing disturbs, and its seconds; it is run once.

    Raises:
        LostError: it does not finish.
    """
    place = folder / "references" / str(job).replace("/", "_")
    file = place / "reference.json"
    if not file.exists():
        shutil.rmtree(place, ignore_errors=True)
        job.write(place, folder)
        fresh_caches(place)
        call = isolated.graft(job.arguments, place)
        outcome = isolated.call(call, place / "log", Limits(seconds=300, gigabytes=None))
        result = job.result(place)
        if outcome.code != 0 or result is None:
            raise LostError(f"undisturbed: {outcome.code}: {outcome.text[-1500:]}")
        file.write_text(json.dumps({"result": result, "seconds": outcome.seconds}))
    values: dict[str, Any] = json.loads(file.read_text())
    return values


def attempt(campaign: str, seed: int, jobs: list[FaultJob], folder: Path) -> dict[str, Any]:
    """Disturb one job; return a line of results."""
    random = Random(seed)
    job = jobs[seed % len(jobs)]  # each as often
    line: dict[str, Any] = {"campaign": campaign, "seed": seed, "job": str(job), "events": []}
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        try:
            usual = reference(job, folder)
            tried = Attempt(job, random, Path(name), folder, usual["seconds"])
            line["events"] = tried.events
            CAMPAIGNS[campaign][0](tried)
        except LostError as error:
            return {**line, "recovered": False, "bit_equal": False, "lost": str(error)}
        result = job.result(tried.place) or {}
    differing = sorted({name for name, _ in set(usual["result"].items()) ^ set(result.items())})
    line |= {"recovered": True, "bit_equal": not differing, "differing": differing}
    return line


def run_all(parsed: argparse.Namespace, folder: Path) -> None:
    """Make the attempts that are lacking and append a line for each."""
    end = time.monotonic() + parsed.minutes * 60
    jobs = [job for job in JOBS if parsed.job in str(job)]
    finished = {(line["campaign"], line["seed"]) for line in resumable.lines(parsed.results)}
    planned = [
        (number / (parsed.count or usual), campaign, parsed.seed + number)
        for campaign, (_, usual) in CAMPAIGNS.items()
        if campaign in parsed.campaigns
        for number in range(parsed.count or usual)
    ]
    for _, campaign, seed in sorted(planned):
        if time.monotonic() > end:
            return
        if (campaign, seed) in finished and not parsed.show:
            continue
        line = attempt(campaign, seed, jobs, folder)
        resumable.append(parsed.results, line)
        is_good = line["recovered"] and line["bit_equal"]
        events = line.pop("events") if is_good and not parsed.show else ()
        print(json.dumps({**line, "events": len(events)} if events else line), flush=True)


def table(lines: list[dict[str, Any]]) -> list[str]:
    """Write a row for each campaign, then what was lost or differs."""
    rows = ["| campaign | tried | recovered | bit-equal | lost |", "|---|---:|---:|---:|---:|"]
    for campaign in dict.fromkeys([*CAMPAIGNS, *(line["campaign"] for line in lines)]):
        chosen = [line for line in lines if line["campaign"] == campaign]
        recovered = sum(line["recovered"] for line in chosen)
        equal = sum(line["bit_equal"] for line in chosen)
        lost = len(chosen) - recovered
        rows.append(f"| {campaign} | {len(chosen)} | {recovered} | {equal} | {lost} |")
    for line in lines:
        if not line["bit_equal"]:
            reason = line.get("lost") or f"differs in {', '.join(line['differing'])}"
            rows.append(f"{line['campaign']} {line['seed']}, {line['job']}: {reason[-600:]}")
    return rows


def main(arguments: list[str] | None = None) -> None:
    """Make what is lacking and print the table."""
    parser = resumable.parser(__doc__, "campaigns", CAMPAIGNS, "attempts")
    parser.add_argument("--job", default="", help="a part of the names of jobs")
    parsed = parser.parse_args(arguments)
    parsed.campaigns = parsed.campaigns or [*CAMPAIGNS]
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = (parsed.folder or Path(name)).resolve()
        isolated.begin(folder)
        run_all(parsed, folder)
    print("\n".join(table(resumable.lines(parsed.results))))


if __name__ == "__main__":
    sys.exit(main())
