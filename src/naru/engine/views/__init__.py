"""From what the engine knows to the API's answers; decides nothing."""
