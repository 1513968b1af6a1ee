"""Writes golden/ anew: what of presets' settings no parser reads. Look the difference over before you commit it."""

from __future__ import annotations

from tests.presets.samples import PAIRS
from tests.presets.test_sheets import GOLDEN, unread

GOLDEN.mkdir(exist_ok=True)
wanted = {f"{name}-{protocol}.txt": unread(name, protocol) for name, protocol in PAIRS}
for file in GOLDEN.glob("*.txt"):
    if not wanted.get(file.name):
        file.unlink()
for name, text in wanted.items():
    if text:
        (GOLDEN / name).write_text(text)
