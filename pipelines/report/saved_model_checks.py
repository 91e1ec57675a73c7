"""Whether what was saved does what was trained."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Parity:
    """Whether the saved model, loaded again, predicts what the trained one did.

    Attributes:
        max_difference: the largest absolute difference between their outputs.
        examples: the number of examples that were compared.
        ok: whether the difference is within the tolerance.
    """

    max_difference: float
    examples: int
    ok: bool

    def __str__(self) -> str:
        verdict, examples = "ok" if self.ok else "FAILED", f"{self.examples} examples"
        return f"{verdict}, outputs differ by at most {self.max_difference:.1e} on {examples}"


@dataclass(frozen=True)
class PrintedLines:
    """Whether the lines that a run prints give what the model predicts.

    Attributes:
        examples: the number of examples that they were run on.
        max_difference: the largest difference of a probability, or a number's relative to itself.
        problem: what is wrong; empty where nothing is.
    """

    examples: int
    max_difference: float
    problem: str = ""

    def __str__(self) -> str:
        where = f"in a process of their own, without Graft, on {self.examples} examples"
        if self.problem:
            return f"FAILED {where}: {self.problem}"
        return f"ok {where}: probabilities or numbers differ by at most {self.max_difference:.1e}"
