"""A typed class for every declarable kind, by family. Generated."""

from __future__ import annotations
