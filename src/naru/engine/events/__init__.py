"""Events: telling whoever listens, the journal of the past, and who wants to hear what."""
