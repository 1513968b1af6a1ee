"""The HTML that authentik answers where nothing is found."""

from __future__ import annotations

NOT_FOUND_PAGE = """<!DOCTYPE html>
<html lang="en">
    <head><meta charset="UTF-8"><title>authentik</title></head>
    <body><h1>Not Found</h1></body>
</html>
"""
