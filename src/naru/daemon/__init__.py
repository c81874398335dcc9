"""The composition root: flags and files into settings, and everything wired. Decides nothing."""
