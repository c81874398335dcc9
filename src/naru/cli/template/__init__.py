"""Go templates of `--format`: read and carried out."""
