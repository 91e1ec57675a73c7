"""DAN: the features' means agree in a space of several kernels (MK-MMD, arXiv 1502.02791)."""

from typing import TYPE_CHECKING, Any, ClassVar

from pipelines.training.adaptation import Domain, WhileTraining

if TYPE_CHECKING:
    import torch

# of the mean squared distance; as DAN's family of kernels around it
BANDWIDTHS = (0.125, 0.25, 0.5, 1.0, 2.0)


class Mmd(WhileTraining):
    """The squared maximum mean discrepancy of the features, in the mean of Gaussian kernels.

    An unbiased estimate: of domains that are alike it is 0 in the mean, and may be below.
    """

    measured: ClassVar[str] = (
        "digits: 23.6 points above the source alone one way, 19.3 the other, in all ten pairs of "
        "runs; other colors: 7.5, in all three; speakers, 1,000 steps: 5.3 ± 11.4, in three of "
        "six; reviews: in two of four"
    )

    def loss(self, source: Domain, target: Domain, network: Any, progress: float) -> "torch.Tensor":
        """Compute the term; 0 for single rows, of which there are no pairs."""
        import torch

        num_source, num_target = len(source.features), len(target.features)
        if min(num_source, num_target) < 2:
            return source.features.sum() * 0
        features = torch.cat([source.features, target.features])
        # by products: the gradient of cdist is not defined where a row is compared with itself
        norms = (features**2).sum(1)
        distances = (norms[:, None] + norms - 2 * features @ features.T).clamp(min=0)
        rows = len(features)
        # a part of the kernel, not of what is learned
        scale = (distances.detach().sum() / (rows * (rows - 1))).clamp(min=1e-12)
        kernels = [torch.exp(-distances / (width * scale)) for width in BANDWIDTHS]
        kernel = torch.stack(kernels).mean(0)
        kernel = kernel - torch.diag(kernel.diagonal())  # a row beside itself is no pair
        within_source = kernel[:num_source, :num_source].sum() / (num_source * (num_source - 1))
        within_target = kernel[num_source:, num_source:].sum() / (num_target * (num_target - 1))
        return within_source + within_target - 2 * kernel[:num_source, num_source:].mean()
