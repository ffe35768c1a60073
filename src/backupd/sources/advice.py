"""What an operator can do about what a database program said last."""

_ADVICE = (
    (
        (
            *("certificate verify failed", "self-signed certificate", "self signed certificate"),
            *("issuer certificate", "certificate has expired", "certificate signed by"),
            *("server certificate", "certificate file", "private key file", "x509:"),
            *("tls/ssl error: no such file", "tls/ssl error: permission denied"),
        ),
        "Check …__URL: the certificate of the authority, and the host's name in the server's own.",
    ),
    (
        ("does not support ssl", "ssl is required", "ssl was required"),
        "Let the server offer TLS, or do not ask for it in BACKUP_DATABASES__…__URL.",
    ),
    (
        (
            "password authentication failed",
            "no password supplied",
            "access denied for user",
            "authentication failed",
            "auth error",
        ),
        "Check user and password of BACKUP_DATABASES__…__URL, and whom the server lets in.",
    ),
    (
        ("version mismatch", "unsupported version"),
        "Install the clients of the server's version; name them in …__PROGRAM if need be.",
    ),
    (
        (
            "permission denied",
            "command denied",
            "insufficient privileges",
            "must be owner",
            "not authorized",
            "access denied",
        ),
        "Grant the dump user what it lacks; docs/how-to/databases.md lists the least rights.",
    ),
    (
        ("no space left", "disk full", "could not extend", "error writing", "errno: 28"),
        "Make room where the message says: on the server for its own files, else for BACKUP_SPOOL.",
    ),
    (
        (
            "server closed the connection",
            "terminating connection",
            "lost connection",
            "gone away",
            "connection reset",
            "broken pipe",
            "ssl syscall",
            "unexpected eof",
        ),
        "The server ended the connection: look into its log, then run the backup again.",
    ),
    (
        (
            "connection refused",
            "could not connect",
            "can't connect",
            "no such file or directory",
            "could not translate host name",
            "unknown mysql server host",
            "timeout expired",
            "timed out",
            "server selection error",
            "no reachable servers",
        ),
        "Check that the server runs and listens where BACKUP_DATABASES__…__URL says.",
    ),
    (
        ("does not exist", "unknown database"),
        "Check the names in BACKUP_DATABASES__…__URL and in its lists of tables.",
    ),
    (
        ("lock timeout", "lock wait timeout", "could not obtain lock", "deadlock"),
        "Somebody holds a lock on a table: let the backup run at another hour, or find who it is.",
    ),
    (
        ("unknown option", "unrecognized option", "unknown variable", "invalid option"),
        "Correct BACKUP_DATABASES__…__OPTIONS: this program does not know one of them.",
    ),
)


def advice_on(words: str) -> str:
    """Give the first advice that fits; "" if none does."""
    said = words.lower()
    return next((advice for phrases, advice in _ADVICE if any(p in said for p in phrases)), "")
