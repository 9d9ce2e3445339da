"""The command ``mstar``, one file a command; ``main`` has the table of them.

A command is a function of its arguments and one line in ``main.COMMANDS``. ``options`` turns
arguments and YAML files into a recipe. Torch is imported only once the arguments are right.
"""
