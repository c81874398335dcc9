"""All SQL: rows in, rows out, no decisions."""
