"""EAA: verify what a hardware-protected environment says about itself."""

__version__ = "0.1.0"
