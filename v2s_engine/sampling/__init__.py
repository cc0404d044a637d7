"""From conditioning to audio codes, one sample after the other: folded weights, and samplers that run them."""
