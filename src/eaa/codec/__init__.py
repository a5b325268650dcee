"""Bytes in, values out: a bounded reader, DER, strict JSON, PEM and text encodings. No trust, no I/O."""
