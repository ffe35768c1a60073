"""Who listens to what happens: the log, the history, a terminal."""
