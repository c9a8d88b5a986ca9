"""Benchmarks that print a table; run one with `python -m faceloom.bench.NAME`."""
