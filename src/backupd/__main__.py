"""`python -m backupd` is `backupd`."""

from backupd.cli.main import main

main()
