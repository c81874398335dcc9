"""The Engine API as Python calls, on the standard library alone.

Start-up time is a feature of the command, so modules here import next to nothing: no `typing`,
`re`, `dataclasses`, `http.client` or `json` on the common path.
"""
