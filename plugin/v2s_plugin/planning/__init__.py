"""What is to be done: what the editor noted and the call says, made clip jobs or reasons against them."""
