"""HTTP in: decode, call one use-case, encode. Decides nothing."""
