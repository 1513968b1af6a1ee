"""Nginx Proxy Manager: certificates and the hosts that it serves, declared through the reconcile engine."""

from __future__ import annotations
