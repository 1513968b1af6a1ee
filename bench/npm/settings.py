"""The one setting: what answers to an unknown Host."""

from __future__ import annotations

import contextlib
from pathlib import Path

from bench.npm.errors import missing
from bench.npm.manager import Manager
from bench.npm.nginx import NginxError
from bench.npm.store import Row

NAME = "default-site"


def get(manager: Manager, name: str) -> Row:
    """The setting; 404 with the name if there is none of it."""
    if name != NAME:
        raise missing(name)
    stored = manager.store.get("setting", 1) or {"value": "congratulations", "meta": {}}
    return {
        "id": NAME,
        "name": "Default Site",
        "description": "What to show when Nginx is hit with an unknown Host",
        "value": stored["value"],
        "meta": stored["meta"],
    }


def put(manager: Manager, name: str, body: Row) -> Row:
    """Change it; 200 even if nginx refuses, in which case the file is dropped."""
    current = get(manager, name)
    changed = {key: body.get(key, current[key]) for key in ("value", "meta")}
    if manager.store.get("setting", 1):
        manager.store.patch("setting", 1, **changed)
    else:
        manager.store.insert("setting", changed)
    path = lay_down(manager)
    try:
        manager.nginx.reload()
    except NginxError:
        path.unlink(missing_ok=True)
        with contextlib.suppress(NginxError):
            manager.nginx.reload()
    return get(manager, name)


def lay_down(manager: Manager) -> Path:
    """Write the file that the setting asks for, without a reload. Returns where it is, or would be."""
    setting = get(manager, NAME)
    path = manager.layout.default_conf
    text = manager.writer.default_site(setting["value"], setting["meta"])
    (manager.layout.data / "nginx" / "default_www" / "index.html").write_text(setting["meta"].get("html", ""))
    path.unlink(missing_ok=True)
    if text:
        path.write_text(text)
    return path
