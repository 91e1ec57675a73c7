"""The model of a finished run, as its own library loads it, or as a `transformers.pipeline`."""

from pathlib import Path
from typing import Any

from pipelines.core.errors import ModelError
from pipelines.models.output.reload import library_of, opening
from pipelines.recipe import Recipe
from pipelines.report.run_folder import RunFolder

READERS = {"text": "tokenizer", "image": "image_processor", "audio": "feature_extractor"}
WITHOUT_PIPELINE = {  # by library; transformers' own have one, where their task does
    "sentence-transformers": "a sentence-transformers model",
    "sentence-pairs": "a sentence-transformers model with a head on two vectors",
    "side-by-side": "several models side by side",
}


def load(folder: Path, recipe: Recipe) -> Any:
    """Load the model in a run's folder `model/` with its own library.

    Raises:
        ModelError: there are several models, or a file is missing or damaged.
    """
    check_single(folder)
    with opening(folder):
        return _loaded(folder, recipe)


def _loaded(folder: Path, recipe: Recipe) -> Any:
    library, trusts_code = library_of(folder), recipe.model.trust_remote_code
    if library in ("sentence-transformers", "sentence-pairs"):
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(str(folder))
    import transformers

    from pipelines.models.output import adapter_folder

    auto = getattr(transformers, recipe.task.auto_class)
    if library == "peft":
        bits = recipe.model.quantization
        return adapter_folder.read(folder, auto, bits, trusts_code=trusts_code)
    return auto.from_pretrained(folder, trust_remote_code=trusts_code)


def check_single(folder: Path) -> None:
    """Refuse several models, none of which gives the answers by itself.

    Raises:
        ModelError: there are several; says what predicts with all of them.
    """
    if library_of(folder) == "side-by-side":
        raise ModelError(
            f"{folder}: several models side by side; expected a run of one checkpoint; "
            "`graft predict`, run.predict() and the lines in the model card use all of them: "
            f"{_card(folder)}"
        )


def check_single_pass(folder: Path) -> None:
    """Refuse what needs more than one pass of one model.

    Raises:
        ModelError: it does; says what predicts with it.
    """
    check_single(folder)
    if library_of(folder) == "sentence-pairs":
        raise ModelError(
            f"{folder}: the texts of a pair are encoded apart; expected a run that reads both in "
            "one sequence (strategy.pairs=together); `graft predict`, run.predict() and the lines "
            f"in the model card use it: {_card(folder)}"
        )


def pipeline(folder: Path, recipe: Recipe, **options: Any) -> Any:
    """Load the model as a `transformers.pipeline`, with arguments of it in `options`.

    Raises:
        ModelError: transformers has no pipeline for this model.
    """
    task, library = recipe.task, library_of(folder)
    if library in WITHOUT_PIPELINE or task.usage(folder.as_posix()):
        kind = WITHOUT_PIPELINE.get(library, task.name)
        raise ModelError(
            f"{folder}: transformers has no pipeline for {kind}; use run.model(), as the model "
            f"card shows: {_card(folder)}"
        )
    import transformers

    build: Any = transformers.pipeline  # mypy would have one of its overloads
    if library == "transformers":
        options = {"trust_remote_code": recipe.model.trust_remote_code, **options}
        return build(task.pipeline, model=str(folder), **options)
    model = load(folder, recipe)
    # the checkpoint's own class, whose layers the adapter changes; prompts need peft's
    model = model if model.active_peft_config.is_prompt_learning else model.get_base_model()
    reader = {READERS[task.modality]: str(folder)}
    return build(task.pipeline, model=model, **reader, **options)


def _card(folder: Path) -> Path:
    return RunFolder(folder.parent).card
