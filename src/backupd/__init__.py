"""A backup daemon: one complete, standard ZIP every night, delivered and proved restorable."""

__version__ = "0.1.0"
