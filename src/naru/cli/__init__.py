"""The command `naru`: words to requests, answers to words; on the standard library alone."""
