"""Images from one place to another without a registry: see `naru.client.copying.transfer`."""
