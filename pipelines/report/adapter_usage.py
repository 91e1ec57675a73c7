"""Python that loads an adapter on its checkpoint, without Graft."""

from pipelines.models import quantization
from pipelines.models.quantization import Bits

READS = {"text": "tokenizer", "image": "image_processor", "audio": "feature_extractor"}


def of(plain: str, model: str, auto: str, modality: str, bits: Bits | None, prompts: bool) -> str:
    """`plain`, which uses a whole model in the folder `model`, for an adapter in its place.

    The checkpoint is named by the adapter's own configuration. Layers are adapted in place: what
    is used is the plain class, unless tokens of the adapter's come before the input.
    """
    more = f",\n    quantization_config={quantization.usage(bits)}" if bits else ""
    names = f"AutoConfig, {auto}{', BitsAndBytesConfig' if bits else ''}"
    adapted = "model" if prompts else "base"
    reads = READS[modality]
    use = plain.replace(f'model="{model}"', f'model={adapted}, {reads}="{model}"')
    use = use.replace(f'{auto}.from_pretrained("{model}")', adapted)
    return (
        "from peft import PeftConfig, PeftModel\n"
        f"from transformers import {names}\n"
        f'said = PeftConfig.from_pretrained("{model}")\n'
        f'config = AutoConfig.from_pretrained("{model}")\n'
        f"base = {auto}.from_pretrained(\n"
        "    said.base_model_name_or_path, revision=said.revision, config=config,\n"
        f"    ignore_mismatched_sizes=True{more})\n"
        f'model = PeftModel.from_pretrained(base, model_id="{model}")\n{use}'
    )
