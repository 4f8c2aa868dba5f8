"""skythought: teach an open model to reason from demonstrations, and know what made it work."""

__version__ = "0.1.0"
