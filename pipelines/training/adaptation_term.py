"""The term of the loss by which a model adapts to the target domain: its passes, and its state.

Imported when training starts: it needs transformers' Trainer at hand.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from transformers import TrainerCallback

from pipelines.core.upstream import is_batch_norm
from pipelines.features.pooling import mask_of, pool
from pipelines.models import forward
from pipelines.training.adaptation import Domain
from pipelines.training.target_batches import TargetBatches
from pipelines.training.target_information import measure

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from pipelines.training.job import Job
    from pipelines.training.setup import Setup

FILE = "adaptation.safetensors"


class AdaptationTerm(TrainerCallback):
    """Runs a batch of the target beside each batch of the source, and compares both.

    Where a model has batch normalization, both are one batch: its running statistics, by which the
    model predicts, are then those that it trained with.

    Attributes:
        network: what trains beside the model, such as a discriminator; None: nothing does.
    """

    def __init__(self, job: "Job", setup: "Setup", arguments: "TrainingArguments") -> None:
        assert job.adaptation
        assert setup.anatomy.output
        self.section, self.job, self.arguments = job.adaptation, job, arguments
        seed = arguments.seed if arguments.data_seed is None else arguments.data_seed
        self.batches = TargetBatches(job.target, job.collate_train, seed)
        self.joins = any(map(is_batch_norm, setup.model.modules()))
        self.caught: Any = None
        # by its name in the job's model: adapters around it give modules other names
        output = job.checkpoint.model.get_submodule(setup.anatomy.output)
        self.hook = output.register_forward_pre_hook(self._catch)
        self.number, self.progress = 0, 0.0
        self.domains: tuple[Domain, Domain] | None = None
        self.network = self._network(setup.model)

    def _network(self, model: Any) -> Any:
        """Build the network, of the run's seed and without a trace in torch's generator."""
        batch = forward.sample_batch(self.job.target, self.job.collate)
        with torch.no_grad():
            model.eval()(**{name: t.to(self.arguments.device) for name, t in batch.items()})
        dim = self._features(batch).shape[1]
        with torch.random.fork_rng():
            torch.manual_seed(self.arguments.seed)
            network = self.section.network(dim, self.job.labels.num_labels)
        network = network and network.to(self.arguments.device)
        if network and self.arguments.world_size > 1:
            for parameter in network.parameters():
                parameter.register_hook(_mean_over_processes)
        return network

    def optimizer_groups(self) -> list[dict[str, Any]]:
        """Return the groups of parameters that train beside the model."""
        return self.section.optimizer_groups(self.network) if self.network else []

    # A step

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Note where training is, and forget the gradients of the step before."""
        if self.network:  # the Trainer forgets those of its model only
            self.network.zero_grad()
        self.number = state.global_step * args.gradient_accumulation_steps
        self.progress = state.global_step / max(1, state.max_steps)

    def around(self, model: Any) -> Any:
        """Return a function that computes the source's outputs, and the target's beside them."""

        def compute(**source: Any) -> Any:
            count = len(next(iter(source.values())))
            place = self.number * self.arguments.world_size + self.arguments.process_index
            self.number += 1
            target = self.batches.read(place * self.arguments.train_batch_size, count)
            target = {k: v.to(self.arguments.device) for k, v in target.items()}
            if self.joins and _fit_together(source, target):
                return self._joined(model, source, target, count)
            outputs = model(**source)
            of_source = self._domain(source, outputs)
            self.domains = of_source, self._domain(target, model(**target))
            return outputs

        return compute

    def _joined(self, model: Any, source: Any, target: Any, count: int) -> dict[str, Any]:
        both = {name: torch.cat([source[name], target[name]]) for name in target}
        domain = self._domain(both, model(**{**source, **both}))
        features, logits = (tensor.split(count) for tensor in domain)
        self.domains = Domain(features[0], logits[0]), Domain(features[1], logits[1])
        return {"logits": logits[0]}

    def _domain(self, batch: Any, outputs: Any) -> Domain:
        return Domain(self._features(batch), outputs["logits"].float())

    def _features(self, batch: Any) -> torch.Tensor:
        """Return what the output layer read of each row, (rows, dim), and let go of it."""
        features, self.caught = self.caught.float(), None
        if features.dim() == 3:  # a decoder's: the last token speaks for a text
            mask = mask_of(features, batch)
            ones = features.new_ones(features.shape[:2])
            return pool(features, ones if mask is None else mask, "last")
        return features.flatten(1)

    def loss(self) -> torch.Tensor:
        """Compute the term of the passes that were just made; a scalar."""
        assert self.domains
        source, target = self.domains
        self.domains = None
        # a covariance in 16 bits is noise
        with torch.autocast(source.features.device.type, enabled=False):
            term = self.section.loss(source, target, self.network, self.progress)
        return self.section.weight * term

    def _catch(self, _: Any, inputs: tuple[Any, ...]) -> None:
        self.caught = inputs[0]

    # What can be known of the target without labels

    def information(self, model: Any) -> float:
        """Measure what predictions tell of the target's rows, in nats.

        It is logged, and chooses nothing.
        """
        job = self.job

        def logits(rows: Any) -> Any:
            outputs = forward.run(
                model,
                rows,
                job.collate,
                lambda outputs, _: {"logits": outputs["logits"]},
                **job.forward_options,
            )
            return outputs["logits"]

        information = measure(logits, self.batches.rows)
        self.caught = None
        return information

    # Checkpoints

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Load the network of a resumed run."""
        if self.network and self.job.resume_from and state.global_step:
            self.network.load_state_dict(load_file(self.job.resume_from / FILE))

    def save(self, folder: str | Path) -> None:
        """Write the network beside a checkpoint's weights, for a run that goes on from it."""
        if self.network:
            save_file(self.network.state_dict(), Path(folder) / FILE)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave the model without a trace."""
        self.hook.remove()


def _fit_together(source: dict[str, Any], target: dict[str, Any]) -> bool:
    """Return whether two batches can be one: rows of the same shapes, as images are."""
    return all(
        name in source and source[name].shape[1:] == target[name].shape[1:] for name in target
    )


def _mean_over_processes(gradient: torch.Tensor) -> torch.Tensor:
    """Return the mean of a gradient, which nothing else takes of what is no part of the model."""
    mean = gradient.clone()
    torch.distributed.all_reduce(mean)
    return mean / torch.distributed.get_world_size()
