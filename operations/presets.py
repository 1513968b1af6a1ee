"""What gatehouse knows about well-known apps, as a list and one by one."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from components.problems import Problem, nearest
from components.settings import presets
from components.settings.presets import Preset
from operations.errors import UsageError

CONFIDENCE = {
    "source": "read in the app's source",
    "docs": "read in the app's documentation",
    "guide": "of authentik's guide alone",
    "unsure": "not looked up; try it first",
}


def completed(incomplete: str) -> list[str]:
    """The presets whose names begin so, for the shell's completion."""
    return [name for name in presets.names() if name.startswith(incomplete)]


def show(words: list[str], console: Console) -> None:
    """Print the preset of that name, else a list of those that have all the words.

    Raises:
        UsageError: there is none.
    """
    if len(words) == 1 and words[0] in presets.names():
        _one(words[0], console)
        return
    found = [name for name in presets.names() if _has(name, words)]
    if not found:
        near = nearest(" ".join(words), presets.names())
        raise UsageError(
            f"No preset has the words {' '.join(words)!r}.",
            f"{near}."
            if near
            else "./gatehouse presets lists them all; docs/presets.md says how to write one.",
        )
    table = Table(box=None, pad_edge=False)
    for heading in ("preset", "app", "for", "speaks", "how sure"):
        table.add_column(heading, overflow="fold")
    for name in found:
        preset = presets.find(name)
        if preset is None:
            table.add_row(name, "", "[red]its file has mistakes[/]", "", "")
            continue
        state = CONFIDENCE[preset.confidence] + (
            ", yours" if presets.path(name).parent == presets.OWN else ""
        )
        table.add_row(
            name, escape(preset.name), escape(preset.about), ", ".join(preset.protocols), escape(state)
        )
    console.print(table)


def problems() -> Iterator[Problem]:
    """What is wrong with presets of one's own, whether a client uses them or not."""
    for file in sorted(presets.OWN.glob("*.yaml")):
        yield from presets.mistakes(file.stem)


def _has(name: str, words: list[str]) -> bool:
    preset = presets.find(name)
    text = f"{name} {preset.name} {preset.about} {' '.join(preset.protocols)}" if preset else name
    return all(word.lower() in text.lower() for word in words)


def _one(name: str, console: Console) -> None:
    preset = presets.find(name)
    if preset is None:
        first, *_ = presets.mistakes(name)
        raise UsageError(f"{first.where}: {first.what}.", f"{first.remedy}.")
    console.print(f"[bold]{escape(preset.name)}[/]: {escape(preset.about)}")
    if presets.path(name).parent == presets.OWN:
        instead = ", in place of gatehouse's own" if (presets.BUILT_IN / f"{name}.yaml").is_file() else ""
        console.print(f"Yours{instead}: presets/{name}.yaml")
    for title, lines in _parts(preset):
        if lines:
            console.print(f"\n[bold]{title}[/]")
        for line in lines:
            console.print(Padding(escape(line), (0, 0, 0, 2)))


def _parts(preset: Preset) -> Iterator[tuple[str, list[str]]]:
    yield (
        "Protocols, the first of which is taken",
        [f"{name}: {way.why}" for name, way in preset.protocols.items()],
    )
    yield (
        "Parameters",
        [
            f"{name}: {each.what}" + (f" ({each.default})" if each.default else " (must be said)")
            for name, each in preset.parameters.items()
        ],
    )
    yield "Roles", [f"{role}: {what}" for role, what in preset.roles.items()]
    yield "Accounts that are there already", [preset.existing]
    yield "Traps", [f"- {trap}" for trap in preset.traps]
    yield "Version", [preset.version]
    sure = f"{CONFIDENCE[preset.confidence]}, {preset.read}"
    yield "How sure", [sure, *([f"less sure: {preset.unsure}"] if preset.unsure else [])]
    yield "Sources", [f"- {source}" for source in preset.sources]
