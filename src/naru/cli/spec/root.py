"""The options before the command, declared; `naru.cli.command_table` says how to read this."""

from __future__ import annotations

OPTIONS = (
    ("config", "", "string", "", "Location of client config files"),
    (
        "context",
        "c",
        "string",
        "",
        (
            "Name of the context to use to connect to the daemon (overrides DOCKER_HOST env var "
            'and default context set with "docker context use")'
        ),
    ),
    ("debug", "D", "bool", "", "Enable debug mode"),
    ("host", "H", "list", "", "Daemon socket to connect to"),
    (
        "log-level",
        "l",
        "string",
        "info",
        'Set the logging level ("debug", "info", "warn", "error", "fatal")',
    ),
    ("tls", "", "bool", "", "Use TLS; implied by --tlsverify"),
    ("tlscacert", "", "string", "", "Trust certs signed only by this CA"),
    ("tlscert", "", "string", "", "Path to TLS certificate file"),
    ("tlskey", "", "string", "", "Path to TLS key file"),
    ("tlsverify", "", "bool", "", "Use TLS and verify the remote"),
    ("version", "v", "bool", "", "Print version information and quit"),
)
