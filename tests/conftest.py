"""What holds for all tests: none asserts a time, so that none fails on a machine with other work.

Property tests take the same examples in every run, so that none fails for a change that it has nothing to do
with. ``pytest --hypothesis-profile=explore`` looks for new ones.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "eaa", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "explore", settings.get_profile("eaa"), derandomize=False, max_examples=2000, print_blob=True
)
settings.load_profile("eaa")
