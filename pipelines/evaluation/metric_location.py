"""The name of a metric -> the file that defines it: ours, one of the user or one of the Hub."""

from pathlib import Path

from pipelines.core import registry
from pipelines.core.errors import HubError, RecipeError, suggest
from pipelines.evaluation import averages


def locate(name: str, revision: str) -> Path:
    """Find the file that defines a metric; fetch it if it is on the Hub.

    Raises:
        RecipeError: there is no such metric.
        HubError: it is on the Hub and cannot be fetched.
    """
    if name in registry.names("metrics"):
        return registry.folder("metrics") / f"{name}.py"
    if name.endswith(".py"):
        if not Path(name).is_file():
            raise RecipeError(f"metric '{name}': no such file")
        return Path(name)
    if "/" in name:
        return _fetch(name, revision)
    raise RecipeError(f"unknown metric '{name}'; {suggest(name, averages.known_names(name))}")


def _fetch(name: str, revision: str) -> Path:
    """Fetch `owner/metric`: the local copy of its `metric.py`."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    alternative = (
        f"use one of {', '.join(registry.names('metrics'))}, or the path of a metric's .py file"
    )
    try:
        # not by evaluate.load, which waits for minutes if the network drops packets
        folder = snapshot_download(
            name, repo_type="space", revision=revision, allow_patterns="*.py"
        )
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise HubError(f"metric '{name}' cannot be fetched; {alternative} ({error})") from error
    path = Path(folder) / f"{name.rpartition('/')[2]}.py"
    if not path.is_file():
        raise HubError(f"metric '{name}': its repository holds no {path.name}; {alternative}")
    return path
