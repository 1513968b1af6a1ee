from __future__ import annotations

from bench.authentik.testing import serve
from tests.authentik.replay import SECRET_KEY, TOKEN, Replay, recordings
from tests.authentik.setups import BEFORE, known_defaults
from tests.figures import record

# Each entry is one installation: series a to c were one long session. Series d (logins) is held elsewhere.
SESSIONS = [["a", "b", "c"], ["e"], ["f"], ["g"], ["h"]]


def play_all() -> tuple[int, dict[str, list[str]]]:
    """How many recordings were played, and the differences of those that disagree."""
    played, disagreeing = 0, {}
    for session in SESSIONS:
        with serve(version="2026.2.2", token=TOKEN, secret_key=SECRET_KEY) as running:
            replay = Replay(running)
            known_defaults(replay)
            for recording in (entry for series in session for entry in recordings(series)):
                if setup := BEFORE.get(recording["id"]):
                    setup(replay)
                played += 1
                if differences := replay.play(recording):
                    disagreeing[f"{recording['id']} {recording['name']}"] = differences
    return played, disagreeing


def test_the_emulator_answers_as_the_real_one_did() -> None:
    played, disagreeing = play_all()
    share = (played - len(disagreeing)) / played
    print(f"\n{played - len(disagreeing)} of {played} recordings agree")
    for name, differences in disagreeing.items():
        print(name, *differences[:6], sep="\n    ")
    record("test", authentik_recordings_share=(round(share, 4), 1.0))
    assert share >= 0.95
