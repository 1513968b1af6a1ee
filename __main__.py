"""gatehouse: reads the stack's settings, builds one client, exports its outputs."""

from __future__ import annotations

import atexit
import gc

# A program that lives for a second makes little garbage: looking for it while all is imported, while resources are
# registered, and once more through everything at the very end, costs every preview 6 %.
gc.disable()
atexit.register(gc.freeze)

from pathlib import Path  # noqa: E402

import pulumi  # noqa: E402

from components.client import Client  # noqa: E402
from components.private_files import make_folder  # noqa: E402
from components.problems import Problems  # noqa: E402
from components.settings import load  # noqa: E402

if not pulumi.runtime.is_dry_run():  # a preview leaves nothing behind
    make_folder(Path(".gatehouse"))  # states lie in it, and git does not keep who may read a folder

try:
    outputs = Client.from_settings(load()).outputs
except Problems as error:  # an operator reads what is wrong, not where our code noticed it
    raise pulumi.RunError(str(error)) from None

for name, value in outputs.items():
    pulumi.export(name, value)
