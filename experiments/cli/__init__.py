"""The command ``mstar``, one file a command; ``main`` has the table of them.

A command is a file with a function ``run`` of its arguments, and a name in ``main.COMMANDS``.
``options`` turns arguments and YAML files into a recipe. Torch is imported only once the arguments
are right.
"""

import os

if os.environ.get("NO_COLOR"):  # which tyro does not know; its own is read when it is imported
    os.environ.setdefault("PYTHON_TYRO_ANSI_CODES", "False")
