"""One module per noun of the API: its paths, and which use-case answers each."""
