from __future__ import annotations

import pytest

from components.secrets import new_root_secret


@pytest.fixture
def root_secret() -> str:
    return new_root_secret()
