"""What backupd does; each operation has a `run` and goes through `perform`."""
