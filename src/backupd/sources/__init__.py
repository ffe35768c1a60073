"""Where members come from: the file tree, and databases."""
