"""Backups of a box: set up on it, and run there by a timer, so that they need no machine of an operator's."""
