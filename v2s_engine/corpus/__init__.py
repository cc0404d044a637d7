"""Material to train and test on: rendered scenes whose sound is known, and recorded clips."""
