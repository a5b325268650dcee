"""Pulls an image, requires its signatures, opens its layers, and lays it out as a bundle for ``runc``."""
