"""Other architectures, which several lessons measure the Transformer against."""
