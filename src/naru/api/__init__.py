"""The Engine API's words: requests, answers, filters, streams and versions. Pure."""
