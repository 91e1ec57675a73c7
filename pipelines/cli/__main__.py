"""`python -m pipelines.cli` and `accelerate launch -m pipelines.cli`: the command line."""

import sys

from pipelines.cli.program import main

if __name__ == "__main__":
    sys.exit(main())
