"""``python -m mstar.experiments.cli``: the command line, as ``accelerate launch`` starts it."""

import os
import sys

from mstar.experiments.cli.main import main

if os.environ.get("RANK", "0") != "0":  # of the processes of a launch the first one speaks
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
sys.exit(main())
