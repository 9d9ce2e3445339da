"""What accelerate launches in the tests: it stands for a process that is forked elsewhere.

accelerate launch ... tests/launched.py PORT

It sends the environment that it was launched with to ``two_processes.py``, which forks a process
into that environment, and it ends as that process does.
"""

import json
import os
import socket
import sys

link = socket.create_connection(("127.0.0.1", int(sys.argv[1]))).makefile("rw")
print(json.dumps(dict(os.environ)), file=link, flush=True)
sys.exit(int(link.readline()))
