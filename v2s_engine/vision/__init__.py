"""Pictures in, envelope out: optical flow, the network's input, and the encoder that runs as ONNX."""
