"""What chose the weights, and when test was scored, in sentences for the card."""

from pipelines.report import oracle_text
from pipelines.report.evidence import Evidence


def chosen_on(evidence: Evidence) -> str:
    """Say what chose the weights."""
    if evidence.standard_error is None:
        if any(key.startswith("folds_") for entry in evidence.history for key in entry):
            return "Features and penalty were chosen on folds of train: validation is small."
        return "The weights were chosen on validation."
    num_folds, metric = len(evidence.fold_scores), evidence.main_metric
    folds = f"{num_folds} folds of train"
    scored = f"each of {folds} was scored by a model that was trained on the others"
    saved = "model was trained"
    if not any("step" in entry for entry in evidence.history):
        scored = (
            f"features and penalty were chosen on {folds}, each scored by a head that was solved "
            "on the others"
        )
        saved = "head was solved"
    return (
        f"There is no validation split: {scored}, and these scores are called validation ({metric} "
        f"{evidence.validation[metric]:.4f}, standard error over folds "
        f"{evidence.standard_error:.4f}). The saved {saved} on all of train."
    )


def scored_once(evidence: Evidence) -> str:
    """Say which rows were scored after everything was chosen."""
    tested = evidence.test is not None
    test = "Test was evaluated once, afterwards." if tested else "There is no test split."
    if evidence.target is None:
        return test
    oracle = oracle_text.card_sentence(evidence)
    limit = "" if oracle else "once, "
    return (
        f"{test} The target is another domain: its {evidence.examples['target']:,} labels were "
        f"used {limit}for these scores, and neither trained nor chose anything.{oracle}"
    )
