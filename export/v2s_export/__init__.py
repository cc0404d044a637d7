"""From checkpoints to bundles (extra `train`)."""
