"""What a check found: the one form in which doctor, preview, up and destroy speak of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `remedy` is empty where all is well; with `advice` nothing is refused for it."""

    subject: str
    what: str
    remedy: str = ""
    advice: bool = False

    @property
    def ok(self) -> bool:
        """Whether a run may begin."""
        return self.advice or not self.remedy

    def __str__(self) -> str:
        return f"{self.subject}: {self.what}" + (f"\n    {self.remedy}" if self.remedy else "")
