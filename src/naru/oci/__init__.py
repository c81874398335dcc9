"""The words of the OCI specifications: digests, manifests, image configs, references. Pure."""
