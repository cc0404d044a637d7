"""Training (extra `train`): the SampleRNN on folders of recordings, the timing encoder on pictures with sound."""
