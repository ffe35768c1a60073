"""The scheduler: it decides what is due, runs it in a child process, and talks to systemd."""
