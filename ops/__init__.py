"""Tensor maths without weights: pure functions over batches, on any device, torch only."""
