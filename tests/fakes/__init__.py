"""Fakes that work: small real implementations of the ports, for tests."""
