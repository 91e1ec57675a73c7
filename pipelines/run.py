"""Entry of `accelerate launch pipelines/run.py RECIPE [key=value …]`.

Launched as a script, Python puts this folder at the head of `sys.path`, where `data/` or
`report/` could shadow a library. The repository root belongs there instead.
"""

import os
import sys

if __name__ == "pipelines.run":  # it would hide the function of that name
    raise ImportError("pipelines/run.py is a script; `from pipelines import run` is the function")
sys.path[0] = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))

from pipelines.cli.program import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(["run", *sys.argv[1:]]))
