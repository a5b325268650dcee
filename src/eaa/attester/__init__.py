"""Collects evidence from the device at hand; :mod:`eaa.attester.simulated` is a vendor without one."""
