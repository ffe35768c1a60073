"""Where archives are kept: drivers of one port, each a stranger to the others."""
