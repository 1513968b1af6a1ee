"""The list of presets, made from their files: the part of docs/presets.md below its mark."""

from __future__ import annotations

from pathlib import Path

from components.settings import presets

PAGE = Path(__file__).resolve().parents[1] / "docs" / "presets.md"
MARK = "<!-- made by python -m tools from components/apps/presets -->\n"


def table() -> str:
    """All presets of gatehouse's."""
    lines = [
        "| preset | app | for | protocols, the preferred first | known for | confidence |",
        "|---|---|---|---|---|---|",
    ]
    for name in presets.names(own=False):
        preset = presets.built_in(name)
        cells = (
            f"`{name}`", preset.name, preset.about, ", ".join(preset.protocols), preset.version, preset.confidence,
        )  # fmt: skip
        lines.append(f"| {' | '.join(each.replace('|', '&#124;') for each in cells)} |")
    return "\n".join([*lines, ""])


def files() -> dict[Path, str]:
    """The page as it is to be."""
    written, mark, _ = PAGE.read_text().partition(MARK)
    return {PAGE: f"{written}{mark}\n{table()}"}
