"""Timeline formats: one module each, all of them to and from `otio.schema.Timeline`."""
