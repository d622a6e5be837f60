"""From results to bytes: what people and pipelines read."""
