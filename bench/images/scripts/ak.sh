#!/bin/sh
# authentik's command line, as far as the bench has it.
exec python3 -m bench.authentik "$@"
