"""Endorsements from where they are: vendors' services, caching services, folders, bundles, and the cache.

Everything that comes is verified before it is kept or handed on (:mod:`eaa.verify.fetched`).
"""
