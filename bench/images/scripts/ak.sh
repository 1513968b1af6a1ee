#!/bin/sh
# authentik's command line, as far as the bench has it.
set -e
if [ "${1:-}" != healthcheck ]; then
  exec python3 -m bench.authentik "$@"
fi
# As upstream's: the server is asked, the worker has to be there.
if tr '\0' ' ' </proc/1/cmdline | grep -q 'bench\.authentik worker'; then exit 0; fi
exec python3 - <<'END'
import sys, urllib.request
try:
    answer = urllib.request.urlopen("http://127.0.0.1:9000/-/health/live/", timeout=10)
except OSError as error:
    sys.exit(f"authentik does not answer: {error}")
sys.exit(0 if answer.status in (200, 204) else f"authentik answered {answer.status}")
END
