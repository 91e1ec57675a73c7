"""Python that loads an adapter on its checkpoint, without Graft."""

from pipelines.models import quantization
from pipelines.models.quantization import Bits

PROCESSOR_ARGUMENTS = {
    "text": "tokenizer",
    "image": "image_processor",
    "audio": "feature_extractor",
}


def adapt(code: str, model: str, auto: str, modality: str, bits: Bits | None, prompts: bool) -> str:
    """Rewrite `code`, which loads a whole model from the folder `model`, for an adapter in it.

    The adapter's configuration names the checkpoint. peft changes the layers of the base model in
    place, so the plain class is used; only an adapter of prompt tokens needs peft's wrapper.
    """
    more = f",\n    quantization_config={quantization.usage(bits)}" if bits else ""
    names = f"AutoConfig, {auto}{', BitsAndBytesConfig' if bits else ''}"
    adapted = "model" if prompts else "base"
    processor = PROCESSOR_ARGUMENTS[modality]
    # a pipeline finds the processor of a folder, and cannot find that of a model in memory
    use = code.replace(f'model="{model}"', f'model={adapted}, {processor}="{model}"')
    use = use.replace(f'{auto}.from_pretrained("{model}")', adapted)
    return (
        "from peft import PeftConfig, PeftModel\n"
        f"from transformers import {names}\n"
        f'adapter = PeftConfig.from_pretrained("{model}")\n'
        f'config = AutoConfig.from_pretrained("{model}")\n'
        f"base = {auto}.from_pretrained(\n"
        "    adapter.base_model_name_or_path, revision=adapter.revision, config=config,\n"
        f"    ignore_mismatched_sizes=True{more})\n"
        f'model = PeftModel.from_pretrained(base, model_id="{model}")\n{use}'
    )
