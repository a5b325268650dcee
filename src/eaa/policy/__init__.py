"""Rego engines behind one Protocol, and the policies that come with EAA."""
