"""What holds for all tests: none asserts a time, so that none fails on a machine with other work."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("eaa", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("eaa")
