"""What `auto` says of a target that the recipe does not adapt to, by what was measured."""

from pipelines.core import registry

# of pictures above training on the source alone in all that was measured, in few steps, too; of
# sounds in most
ADVISED = {"image": "mmd", "audio": "deep_coral"}
# modalities of which none was
LEFT_ALONE = {"text": "reviews, twelve pairs: deep_coral 0.0 ± 1.1 points, above it in six"}


def advice(modality: str) -> str:
    """Name the adaptation for rows of a modality, or say that there is none; and why."""
    place = "docs/choosing.md"
    name = ADVISED.get(modality)
    if name is None:
        return (
            "auto: with data.target, and no adaptation: none that was measured does better than "
            f"training on the source alone for {modality} ({LEFT_ALONE[modality]}; {place})"
        )
    measured = registry.find("adaptations", name).measured
    return (
        f"auto: with data.target, adaptation: {name} and a strategy that trains by steps may do "
        f"better than train alone; {measured} ({place})"
    )
