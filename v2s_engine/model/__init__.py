"""The network, as trained: a three-tier SampleRNN in PyTorch (extra `train`). Sampling uses `v2s_engine.sampling`."""
